internal import RPC

/// A session without a socket: octets in, octets out, and calls to and from streams between them.
///
/// All that the connections need of a protocol stands here, so that there can be several. Confined to the connection's
/// loop. None of the methods calls the delegate or a stream's handler but `receive`, `reportClosed` and `produce`.
protocol SessionEngine: AnyObject {
  /// Takes received octets; calls the delegate and the streams with what they mean.
  /// - Throws: when the session cannot go on. Its last words, as a GOAWAY, are still to be sent.
  func receive(_ bytes: UnsafeRawBufferPointer) throws(SessionFailure)

  /// Appends frames to `output` until there are no more or `limit` octets are reached.
  /// - Returns: whether there may be more.
  func produce(into output: OutputBuffer, limit: Int) throws(SessionFailure) -> Bool

  /// Tells the delegate of the streams that are over. `receive` and `produce` do so for those that end there; this is
  /// for those that were reset while the peer takes nothing.
  func reportClosed()

  /// Whether the session has nothing more to say nor to hear.
  var isFinished: Bool { get }

  /// Frames that wait, without DATA.
  var queuedFrames: Int { get }

  /// Whether a header block has begun and not ended.
  var isInsideHeaderBlock: Bool { get }

  /// What the session waits for. `anything` unless an engine says otherwise.
  var demand: SessionDemand { get }

  /// What the peer allows us to have open.
  var peerMaxConcurrentStreams: Int { get }

  /// Bytes of bodies that may be sent before the peer gives more window for the connection.
  var sendWindow: Int { get }

  /// Bytes of bodies that the peer may send before it gets more window for the connection.
  var receiveWindow: Int { get }

  /// Bytes of bodies that have come and no handler has taken, and of frames that wait.
  var heldBytes: Int { get }

  /// Bytes of bodies that handlers have taken so far, from whatever this began at; it never becomes less.
  var consumedBytes: Int { get }

  // MARK: Streams

  /// Opens a stream with a request whose body comes from `stream`; sets its id.
  /// - Returns: false if the connection's stream ids are used up.
  func open(_ head: RequestHead, _ stream: HTTP2Stream) -> Bool

  /// Sends the head of a response. Without `endStream`, the body comes from `stream`.
  func respond(_ stream: HTTP2Stream, status: Int, headers: HeaderList, endStream: Bool)

  /// Tells that a stream which had nothing to send has something now.
  func resume(_ stream: HTTP2Stream)

  /// Resets a stream. Harmless after its end.
  func reset(_ stream: HTTP2Stream, _ code: ResetCode)

  /// Gives window back for bytes of a stream, and for the connection as well.
  func consume(_ stream: HTTP2Stream, _ count: Int)

  // MARK: Connection

  /// Asks the peer for a sign of life; the delegate hears the answer.
  func ping(_ payload: UInt64)

  /// Announces the end without naming a last stream: requests on their way will be served.
  func announceShutdown()

  /// Accepts no more streams than have been seen.
  func refuseNewStreams()

  /// Sends a GOAWAY with an error and its reason as debug data, the last one. The connection's end is the caller's care.
  func goAway(_ code: ResetCode, _ why: StaticString)

  /// Gives the peer larger windows, for the streams there are, those to come, and the connection; never smaller ones.
  func setReceiveWindow(stream: Int, connection: Int)

  /// Ends the session with an error; only a GOAWAY is sent after this.
  func terminate(_ code: ResetCode)
}

extension SessionEngine {
  var demand: SessionDemand { .anything }
  var heldBytes: Int { 0 }
  var consumedBytes: Int { 0 }
}

/// What a session waits for, and so how long the connection is patient. The counts tell whether it goes on.
enum SessionDemand: Equatable {
  /// Whatever the peer sends, whenever it does: windows bound it, and `isInsideHeaderBlock`.
  case anything
  /// Nothing may be read, until output is produced again.
  case silence
  /// The rest of a head that has begun, or of trailers, after so many requests.
  case head(served: Int)
  /// The body of a request.
  case body(received: Int)
  /// The next request.
  case request(served: Int)
}

/// Why a session ended.
struct SessionFailure: Error, CustomStringConvertible {
  /// The engine's words, for logs.
  let description: String
}

/// The connection, as its session sees it.
protocol SessionDelegate: AnyObject {
  /// The peer's SETTINGS have arrived.
  func receivedSettings()

  /// The head of a request is complete, but for what was over the limit. Returns the stream that goes with it, or nil to
  /// ignore what follows. Both of these count as a reset in the sense of `HTTP2Limits.resetBurst`.
  func receivedRequest(_ streamID: Int32, _ block: inout HeaderBlock, endStream: Bool) -> HTTP2Stream?

  /// The peer will take no streams above `lastStreamID`.
  func receivedGoAway(lastStreamID: Int32, code: UInt32)

  /// A PING that the session answers.
  func receivedPing()

  /// The answer to `ping`.
  func receivedPong(_ payload: UInt64)

  /// The peer has used the session up, but for a few streams: the connection is to be drained.
  func retire()

  /// A stream is gone. Called exactly once for each stream of the session, except when the session itself ends.
  func streamClosed(_ stream: HTTP2Stream, code: UInt32)

  /// A stream needs more body bytes, or its handler should know that there is room.
  func streamDrained(_ stream: HTTP2Stream)
}
