import RPC

@testable import HTTP2

/// The connection of a session, without a socket: notes what the session says. A server's answers each request when it
/// has ended, with its own body; a client's makes a few calls.
final class SessionRecorder: SessionDelegate {
  enum Event: Equatable {
    case settings
    case request(Int32, head: String, headers: HeaderList)
    case tooLarge(Int32)
    case response(Int32, status: Int, headers: HeaderList, isEnd: Bool)
    /// Something came before the head of a response, or after its end.
    case outOfOrder
    case body(Int32, [UInt8])
    case trailers(Int32)
    case end(Int32)
    case goAway(Int32, UInt32)
    case ping
    case closed(Int32, UInt32)

    /// Whether it is the end of a stream.
    var isEnd: Bool {
      if case .closed = self { true } else { false }
    }
  }

  private(set) var events: [Event] = []
  /// The streams that are open.
  private(set) var streams: [Int32: HTTP2Stream] = [:]
  // The session lives as long as this object, which owns it.
  var session: (any SessionEngine)!

  /// Requests for this path are answered at their head.
  static let earlyPath = "/early"

  func note(_ event: Event) {
    // How a body is cut into pieces means nothing, nor that another stream ends between two of them.
    if case .body(let id, let octets) = event, let last = events.lastIndex(where: { !$0.isEnd }),
      case .body(id, let before) = events[last]
    {
      events[last] = .body(id, before + octets)
    } else {
      events.append(event)
    }
  }

  /// Takes all that the session has to send.
  func produce() throws -> [UInt8] {
    let output = OutputBuffer()
    var octets: [UInt8] = []
    var isMore = true
    var rounds = 0
    while isMore {
      isMore = try session.produce(into: output, limit: 4096)
      octets += output.bytes
      output.removeAll()
      rounds += 1
      try require(rounds < 1000, "the session produces without end")
    }
    return octets
  }

  /// Makes calls: one that is whole, one whose body goes on, and one that has sent nothing yet.
  func call() {
    for (body, isWhole) in [([1, 2, 3], true), ([4, 5, 6], false), ([], false)] as [([UInt8], Bool)] {
      let stream = CalledStream(self)
      let head = RequestHead(method: "POST", path: "/a/b", scheme: "http", authority: "x", headers: HeaderList())
      precondition(session.open(head, stream), "a new session takes calls")
      streams[stream.id] = stream
      stream.write(body)
      if isWhole { stream.finish(trailers: nil) }
      session.resume(stream)
    }
  }

  /// Gives the window of all that was received back.
  func consumeAll() {
    for stream in streams.values where stream.unconsumed > 0 {
      let count = stream.unconsumed
      stream.unconsumed = 0
      session.consume(stream, count)
    }
  }

  func receivedSettings() { note(.settings) }

  func receivedRequest(_ streamID: Int32, _ block: inout HeaderBlock, endStream: Bool) -> HTTP2Stream? {
    if block.isTooLarge {
      note(.tooLarge(streamID))
      return nil
    }
    let head = block.requestHead
    note(
      .request(
        streamID, head: "\(head.method) \(head.scheme) \(head.authority) \(head.path) \(endStream)",
        headers: head.headers))
    let stream = RecordedStream(self, id: streamID, isEarly: head.path == Self.earlyPath)
    stream.receivedEnd = endStream
    streams[streamID] = stream
    if stream.isEarly { stream.refuse() } else if endStream { stream.answer() }
    return stream
  }

  func retire() {}
  func receivedGoAway(lastStreamID: Int32, code: UInt32) { note(.goAway(lastStreamID, code)) }
  func receivedPing() { note(.ping) }
  func receivedPong(_ payload: UInt64) {}

  func streamClosed(_ stream: HTTP2Stream, code: UInt32) {
    note(.closed(stream.id, code))
    streams[stream.id] = nil
    stream.close(nil)
  }

  func streamDrained(_ stream: HTTP2Stream) { stream.isDrainPending = false }
}

final class RecordedStream: HTTP2Stream {
  private unowned let recorder: SessionRecorder
  let isEarly: Bool
  private var body: [UInt8] = []

  init(_ recorder: SessionRecorder, id: Int32, isEarly: Bool) {
    self.recorder = recorder
    self.isEarly = isEarly
    super.init(connection: nil, id: id)
  }

  override func receiveHeaders(_ block: inout HeaderBlock, endStream: Bool) {
    guard !isEarly else { return }
    recorder.note(.trailers(id))
    if endStream { answer() }
  }

  override func receive(_ bytes: UnsafeRawBufferPointer) {
    // What comes before an early answer is out depends on when it comes.
    guard !isEarly else { return }
    recorder.note(.body(id, Array(bytes)))
    body += bytes
  }

  override func receiveEnd() {
    guard !isEarly else { return }
    recorder.note(.end(id))
    answer()
  }

  func refuse() {
    isFinished = true
    recorder.session.respond(self, status: 415, headers: ["a": "b"], endStream: true)
  }

  func answer() {
    recorder.session.respond(self, status: 200, headers: ["a": "b"], endStream: false)
    write(body)
    finish(trailers: ["grpc-status": "0"])
    if isDeferred {
      isDeferred = false
      recorder.session.resume(self)
    }
  }
}
