import Base
import RPC

@testable import HTTP2

/// One HTTP/2 session without a socket: frames in, frames and events out.
final class SessionHarness: SessionDelegate {
  /// A stream that notes what happens to it.
  final class Stream: HTTP2Stream {
    let note: (String) -> Void
    /// What its handler does when the head of a response has come, when body has, and when the peer has said all.
    var onHead: (Stream) -> Void = { _ in }
    var onBody: (Stream, Int) -> Void = { _, _ in }
    var onEnd: (Stream) -> Void = { _ in }

    init(id: Int32, note: @escaping (String) -> Void) {
      self.note = note
      super.init(connection: nil, id: id)
    }

    override func receiveHeaders(_ block: inout HeaderBlock, endStream: Bool) {
      note("headers \(id) \(block.status)\(endStream ? " end" : "")")
      if endStream { onEnd(self) } else { onHead(self) }
    }
    override func receive(_ bytes: UnsafeRawBufferPointer) {
      note("data \(id) " + bytes.map { String($0) }.joined())
      onBody(self, bytes.count)
    }
    override func receiveEnd() {
      note("end \(id)")
      onEnd(self)
    }
  }

  private let memory = SessionMemory()
  private let output = OutputBuffer()
  private(set) var session: HTTP2Session!
  /// The streams that are open, as a connection keeps them.
  private(set) var streams: [Int32: Stream] = [:]
  private(set) var events: [String] = []
  private(set) var frames: [RawPeer.Frame] = []
  private(set) var failure: SessionFailure?
  /// What to do with a request before its stream is returned.
  var onRequest: (SessionHarness, Stream) -> Void = { _, _ in }
  /// What to do once the end of a stream was reported.
  var onClose: (SessionHarness, Int32) -> Void = { _, _ in }

  init(_ role: HTTP2Session.Role, limits: HTTP2Limits = HTTP2Limits(), greet: Bool = true) throws {
    session = HTTP2Session(
      role: role, limits: SharedLimits(limits, random: SeededRandomSource(seed: 1)), memory: memory, delegate: self)
    if greet {
      try feed((role == .server ? RawPeer.preface : []) + RawPeer.frame(RawPeer.FrameType.settings, 0, 0, []))
      frames = []
      events = []
    }
  }

  /// Gives octets to the session in pieces of `size`, and takes what it has to say.
  func feed(_ octets: [UInt8], pieces size: Int = .max) throws {
    var rest = octets[...]
    while !rest.isEmpty, failure == nil {
      let piece = Array(rest.prefix(size))
      rest = rest.dropFirst(size)
      do {
        try piece.withUnsafeBytes { try session.receive($0) }
      } catch let error as SessionFailure {
        failure = error
      }
    }
    try takeOutput()
  }

  /// Takes the frames that the session has to send.
  func takeOutput() throws {
    var octets: [UInt8] = []
    session.reportClosed()
    while true {
      output.removeAll()
      let mayHaveMore = try session.produce(into: output, limit: 1 << 20)
      octets += [UInt8](output.bytes)
      if !mayHaveMore || output.count == 0 { break }
    }
    if session.role == .client, octets.starts(with: RawPeer.preface) { octets.removeFirst(RawPeer.preface.count) }
    frames += RawPeer.frames(octets)
  }

  /// Opens a stream with a request (a client's).
  func open() throws -> Stream {
    let stream = Stream(id: 0) { [unowned self] in events.append($0) }
    let head = RequestHead(method: "POST", path: "/a/b", scheme: "http", authority: "x", headers: HeaderList())
    precondition(session.open(head, stream), "the session takes no more streams")
    streams[stream.id] = stream
    try takeOutput()
    return stream
  }

  /// The error code of the GOAWAY that was sent.
  var goAway: UInt32? { frames.first { $0.type == RawPeer.FrameType.goAway }?.errorCode }

  /// The streams that were reset, with their codes.
  var resets: [UInt32: UInt32] {
    Dictionary(
      frames.filter { $0.type == RawPeer.FrameType.reset }.map { ($0.stream, $0.errorCode ?? .max) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The octets of DATA sent on a stream.
  func sent(on stream: UInt32) -> Int {
    frames.filter { $0.type == RawPeer.FrameType.data && $0.stream == stream }.reduce(0) { $0 + $1.payload.count }
  }

  // MARK: SessionDelegate

  func receivedSettings() { events.append("settings") }

  func receivedRequest(_ streamID: Int32, _ block: inout HeaderBlock, endStream: Bool) -> HTTP2Stream? {
    guard !block.isTooLarge else { return nil }
    let head = block.requestHead
    events.append("request \(streamID) \(head.method) \(head.path) \(head.authority)\(endStream ? " end" : "")")
    let stream = Stream(id: streamID) { [unowned self] in events.append($0) }
    stream.receivedEnd = endStream
    streams[streamID] = stream
    onRequest(self, stream)
    return stream
  }

  func retire() { events.append("retire") }
  func receivedGoAway(lastStreamID: Int32, code: UInt32) { events.append("goaway \(lastStreamID) \(code)") }
  func receivedPing() { events.append("ping") }
  func receivedPong(_ payload: UInt64) { events.append("pong \(payload)") }

  func streamClosed(_ stream: HTTP2Stream, code: UInt32) {
    events.append("closed \(stream.id) \(code)")
    streams[stream.id] = nil
    stream.close(nil)
    onClose(self, stream.id)
  }

  func streamDrained(_ stream: HTTP2Stream) { events.append("drained \(stream.id)") }
}
