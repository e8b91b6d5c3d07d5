internal import RPC

/// The session engine for HTTP/2 (RFC 9113): frames, streams, windows and limits in Swift, HPACK by nghttp2.
///
/// Received octets are taken apart where they lie, and DATA go to their stream as they come; only a frame of another
/// type that arrives in pieces is gathered. What is to be sent is written at once into `control`, but for body and
/// trailers, which `produce` takes from the streams in turn.
///
/// The parts: `+Receiving` (frames), `+Headers` (header blocks), `+Body` (DATA and windows), `+Connection` (SETTINGS,
/// PING, GOAWAY), `+Sending`.
final class HTTP2Session: SessionEngine {
  enum Role {
    case server
    case client
  }

  let role: Role
  // Unsafe because the check of a plain `unowned` is paid at each event: the delegate owns this object, which calls it
  // only inside of its own methods.
  unowned(unsafe) let delegate: any SessionDelegate
  let shared: SharedLimits
  let memory: SessionMemory

  // Exclusive access is not checked at run time where it would be for each field or frame: these are values of this
  // class's parts alone, and none of their methods calls out.

  /// Octets of the client's preface that the server has still to see.
  @exclusivity(unchecked) var prefaceLeft: Int
  /// A frame that has come in part, with its header.
  @exclusivity(unchecked) var partial: [UInt8] = []
  /// The DATA frame whose payload is arriving.
  @exclusivity(unchecked) var body: BodyInProgress?
  /// The header block that is arriving.
  @exclusivity(unchecked) var headerBlock: HeaderBlockInProgress?
  @exclusivity(unchecked) var block: HeaderBlock
  /// The octets of the header block that `block` holds the request of, while the same octets mean the same request.
  @exclusivity(unchecked) var knownBlock: [UInt8] = []
  @exclusivity(unchecked) var decoder: HeaderDecoder?
  @exclusivity(unchecked) var encoder: HeaderEncoder?
  /// What the peer's SETTINGS say of the encoder's table, if they have said it before there was an encoder.
  var encoderTableSize = HTTP2Protocol.defaultHeaderTableSize
  /// The least that they have said: the first block must name it (RFC 7541 §4.2).
  var leastEncoderTableSize = HTTP2Protocol.defaultHeaderTableSize

  @exclusivity(unchecked) var guardian: FloodGuard
  @exclusivity(unchecked) var history: StreamIDHistory
  @exclusivity(unchecked) var streams = StreamTable()

  /// What the peer may send us of DATA.
  @exclusivity(unchecked) var inbound: InboundWindow
  /// The window of new streams for the peer, as the SETTINGS say that it has acknowledged.
  var inboundStreamWindow = HTTP2Protocol.initialWindow
  /// The same, as each of the SETTINGS says that the peer has not acknowledged yet.
  var offeredStreamWindows: [Int] = []
  /// What we may send of DATA.
  var outboundWindow = HTTP2Protocol.initialWindow
  /// The window that the peer has given for the connection so far: what is not left of it was sent.
  var grantedWindow = HTTP2Protocol.initialWindow
  /// What the peer may say about windows.
  @exclusivity(unchecked) var updateCredit = WindowUpdateCredit()
  /// The window of new streams for us.
  var outboundStreamWindow = HTTP2Protocol.initialWindow
  /// The longest frame that the peer takes.
  var outboundFrameSize = HTTP2Protocol.defaultFrameSize
  var peerMaxConcurrentStreams: Int

  /// Whether the peer's first SETTINGS have come.
  var hasGreeted = false
  /// The next id that a client takes.
  var nextStreamID: Int32 = 1

  /// Frames that wait to be written, complete.
  let control: OutputBuffer
  private(set) var queuedFrames = 0
  var queuedAcknowledgements = 0
  /// Streams that have something to send and window for it.
  @exclusivity(unchecked) var ready = StreamQueue()
  /// Streams that have something to send when the connection's window opens.
  @exclusivity(unchecked) var starved = StreamQueue()
  /// How many of these are over. A peer that keeps its window shut must not make them pile up.
  var starvedInVain = 0
  /// Streams that are over, of which the delegate has still to hear.
  @exclusivity(unchecked) var closing: [HTTP2Stream] = []
  /// How many of `closing` were reported.
  @exclusivity(unchecked) var reported = 0

  /// Streams of the peer above this are not taken any more.
  var lastAcceptedID = HTTP2Protocol.largestStreamID
  /// Streams of ours above this are not taken by the peer.
  var lastWelcomeID = HTTP2Protocol.largestStreamID
  /// Whether a GOAWAY with an error, or for good, is on its way: nothing else matters.
  private(set) var hasEnded = false

  init(role: Role, limits shared: SharedLimits, memory: SessionMemory, delegate: any SessionDelegate) {
    self.role = role
    self.shared = shared
    self.memory = memory
    self.delegate = delegate
    let limits = shared.values
    block = HeaderBlock(limits: limits)
    guardian = FloodGuard(limits: limits, now: EventLoop.monotonicTime)
    history = StreamIDHistory(maxReset: limits.maxRememberedResets)
    inbound = InboundWindow(size: HTTP2Protocol.initialWindow)
    prefaceLeft = role == .server ? HTTP2Protocol.clientPreface.utf8CodeUnitCount : 0
    peerMaxConcurrentStreams = HTTP2Limits.assumedConcurrentStreams
    control = OutputBuffer(capacity: HTTP2Limits.keptControlBuffer)
    greet(limits)
  }

  var sendWindow: Int { outboundWindow }
  var receiveWindow: Int { inbound.left }
  var heldBytes: Int { inbound.held + control.count }
  var consumedBytes: Int { inbound.released }

  // MARK: The connection's end

  var isFinished: Bool {
    guard control.count == 0 else { return false }
    if hasEnded { return true }
    let takesNoMore =
      lastAcceptedID != HTTP2Protocol.largestStreamID || lastWelcomeID != HTTP2Protocol.largestStreamID
    return takesNoMore && streams.isEmpty && reported == closing.count
  }

  func terminate(_ code: ResetCode) {
    goAway(code, "")
  }

  /// Nothing counts any more but what is on its way out.
  func end() {
    hasEnded = true
  }

  /// The error of the connection that a frame caused (RFC 9113 §5.4.1).
  func connectionError(_ code: ResetCode, _ reason: String) -> SessionFailure {
    terminate(code)
    return SessionFailure(description: "\(reason) (\(code))")
  }

  // MARK: Frames without payload of their own

  /// Counts a frame that is written into `control`.
  @inline(__always)
  func countFrame() { queuedFrames += 1 }

  /// Writes a frame whose payload is one number.
  func append(_ type: UInt8, _ streamID: Int32, _ value: UInt32) {
    control.append(FrameHeader(length: 4, type: type, flags: 0, streamID: streamID))
    withUnsafeBytes(of: value.bigEndian) { control.append($0.baseAddress.unsafelyUnwrapped, $0.count) }
    countFrame()
  }

  /// Moves the frames that wait to `output`.
  func flushControl(to output: OutputBuffer) {
    guard control.count > 0 else { return }
    output.append(control.bytes.baseAddress.unsafelyUnwrapped, control.count)
    control.removeAll()
    control.shrink(to: HTTP2Limits.keptControlBuffer)
    queuedFrames = 0
    queuedAcknowledgements = 0
  }
}

/// A DATA frame whose payload is arriving.
struct BodyInProgress {
  /// nil if the payload is not wanted.
  var stream: HTTP2Stream?
  /// Octets of content that are missing.
  var left: Int
  /// Octets of padding that follow.
  var padding: Int
  var endStream: Bool
}

/// A header block that has begun.
struct HeaderBlockInProgress {
  var streamID: Int32
  var endStream: Bool
  /// The stream that trailers or a response belong to.
  var stream: HTTP2Stream?
  /// Whether the fields are of no interest: only the decoder must see them.
  var isIgnored: Bool
  /// Whether it begins a new stream.
  var isRequest: Bool
  var continuations = 0
}

/// Streams that have something to send, first in, first out.
struct StreamQueue {
  private(set) var streams: [HTTP2Stream?] = []
  private var first = 0

  var isEmpty: Bool { first == streams.count }
  var count: Int { streams.count - first }

  mutating func append(_ stream: HTTP2Stream) {
    streams.append(stream)
  }

  mutating func popFirst() -> HTTP2Stream? {
    guard first < streams.count else { return nil }
    let stream = streams[first].take()
    first += 1
    if first == streams.count {
      streams.removeAll(keepingCapacity: streams.capacity <= HTTP2Limits.keptQueuePlaces)
      first = 0
    } else if first >= HTTP2Limits.deadPlaces, first * 2 >= streams.count {
      // A queue that never runs empty must not grow without end.
      streams.removeFirst(first)
      first = 0
    }
    return stream
  }

  /// Lets go of the streams that are over.
  mutating func removeClosed() {
    streams.removeAll { $0?.isClosing ?? true }
    first = 0
  }
}
