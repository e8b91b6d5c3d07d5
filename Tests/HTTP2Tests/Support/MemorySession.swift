import Base
import RPC

@testable import HTTP2

/// A session engine that is no protocol: what one side says lies in memory for the other, and the octets on the socket
/// only tell that there is something. It shows all that connections, streams and the RPC core need of an engine.
final class MemorySession: SessionEngine {
  enum Message: Sendable {
    case hello
    case request(Int32, RequestHead)
    case head(Int32, status: Int, HeaderList, isEnd: Bool)
    case body(Int32, [UInt8])
    case end(Int32, HeaderList?)
    case reset(Int32, ResetCode)
    case window(Int32, Int)
    case goAway(last: Int32, ResetCode)
    case ping(UInt64)
    case pong(UInt64)
  }

  /// One direction between two sessions.
  final class Wire: Sendable {
    let messages = Locked<[Message]>([])
  }

  /// The way between a client and a server: what makes the session of the one connection that each of them has.
  struct Pair: Sendable {
    private let up = Wire()
    private let down = Wire()
    private let made = Locked([HTTP2Session.Role]())

    /// Whether a client and a server had their session of this, and nobody else had.
    var isUsed: Bool { made.withLock { $0.count == 2 && Set($0) == [.client, .server] } }

    @Sendable func engine(_ connection: Connection) -> any SessionEngine {
      made.withLock { $0.append(connection.role) }
      let isServer = connection.role == .server
      return MemorySession(
        incoming: isServer ? up : down, outgoing: isServer ? down : up, delegate: connection)
    }
  }

  /// The bytes of one stream that may be on the way.
  static let window = 1 << 16

  unowned(unsafe) let delegate: any SessionDelegate
  private let incoming: Wire
  private let outgoing: Wire
  private var said: [Message] = [.hello]
  private var streams: [Int32: HTTP2Stream] = [:]
  private var ready: [HTTP2Stream] = []
  private var over: [(HTTP2Stream, UInt32)] = []
  private var nextID: Int32 = 1
  private var highest: Int32 = 0
  private var isEnding = false
  private let block: HeaderBlock

  init(incoming: Wire, outgoing: Wire, delegate: any SessionDelegate) {
    self.incoming = incoming
    self.outgoing = outgoing
    self.delegate = delegate
    block = HeaderBlock(limits: HTTP2Limits())
  }

  // MARK: In

  func receive(_ bytes: UnsafeRawBufferPointer) throws(SessionFailure) {
    let messages = incoming.messages.withLock { messages in
      defer { messages = [] }
      return messages
    }
    for message in messages { take(message) }
    reportClosed()
  }

  private func take(_ message: Message) {
    switch message {
    case .hello: delegate.receivedSettings()
    case .ping(let payload):
      delegate.receivedPing()
      said.append(.pong(payload))
    case .pong(let payload): delegate.receivedPong(payload)
    case .request(let id, let head): takeRequest(id, head)
    case .head(let id, let status, let headers, let isEnd):
      guard let stream = streams[id] else { return }
      var block = block
      block.begin(.response)
      block.status = status
      block.headers = headers
      if isEnd { stream.receivedEnd = true }
      stream.receiveHeaders(&block, endStream: isEnd)
      closeIfDone(stream)
    case .body(let id, let bytes):
      guard let stream = streams[id] else { return }
      stream.unconsumed += bytes.count
      bytes.withUnsafeBytes { stream.receive($0) }
    case .end(let id, let trailers):
      guard let stream = streams[id] else { return }
      stream.receivedEnd = true
      if let trailers {
        var block = block
        block.begin(.trailers)
        block.headers = trailers
        stream.receiveHeaders(&block, endStream: true)
      } else {
        stream.receiveEnd()
      }
      closeIfDone(stream)
    case .reset(let id, let code):
      if let stream = streams[id] { close(stream, code.rawValue) }
    case .window(let id, let count):
      guard let stream = streams[id] else { return }
      stream.outboundWindow += count
      if stream.hasWork { ready.append(stream) }
    case .goAway(let last, let code):
      delegate.receivedGoAway(lastStreamID: last, code: code.rawValue)
    }
  }

  private func takeRequest(_ id: Int32, _ head: RequestHead) {
    highest = id
    var block = block
    block.begin(.request)
    (block.method, block.path, block.scheme, block.authority) = (head.method, head.path, head.scheme, head.authority)
    block.headers = head.headers
    guard let stream = delegate.receivedRequest(id, &block, endStream: false) else { return }
    stream.outboundWindow = Self.window
    streams[id] = stream
    if stream.hasWork { ready.append(stream) }
    closeIfDone(stream)
  }

  // MARK: Out

  func produce(into output: OutputBuffer, limit: Int) throws(SessionFailure) -> Bool {
    let batch = ready
    ready = []
    for stream in batch where stream.hasSentHead && !stream.isClosing && !stream.sentEnd { send(stream) }
    reportClosed()
    guard !said.isEmpty else { return false }
    outgoing.messages.withLock { $0 += said }
    said = []
    // The first word is the one by which a server knows its engine.
    for octet in "PRI".utf8 { withUnsafeBytes(of: octet) { output.append($0.baseAddress!, 1) } }
    return false
  }

  private func send(_ stream: HTTP2Stream) {
    let length = min(stream.outbound.count, stream.outboundWindow)
    if length > 0 {
      let chunk = OutputBuffer(capacity: length)
      stream.outboundWindow -= length
      if stream.take(length, into: chunk) { delegate.streamDrained(stream) }
      said.append(.body(stream.id, [UInt8](chunk.bytes)))
    }
    guard stream.outbound.count == 0 else { return }
    stream.isDeferred = true
    guard stream.isFinished else { return }
    said.append(.end(stream.id, stream.trailers))
    stream.sentEnd = true
    closeIfDone(stream)
  }

  func open(_ head: RequestHead, _ stream: HTTP2Stream) -> Bool {
    stream.id = nextID
    nextID += 2
    streams[stream.id] = stream
    stream.outboundWindow = Self.window
    stream.hasSentHead = true
    said.append(.request(stream.id, head))
    resume(stream)
    return true
  }

  func respond(_ stream: HTTP2Stream, status: Int, headers: HeaderList, endStream: Bool) {
    said.append(.head(stream.id, status: status, headers, isEnd: endStream))
    stream.hasSentHead = true
    if endStream { stream.sentEnd = true } else { resume(stream) }
    closeIfDone(stream)
  }

  func resume(_ stream: HTTP2Stream) {
    stream.isDeferred = false
    ready.append(stream)
  }

  func consume(_ stream: HTTP2Stream, _ count: Int) {
    said.append(.window(stream.id, count))
  }

  // MARK: Ends

  func reset(_ stream: HTTP2Stream, _ code: ResetCode) {
    said.append(.reset(stream.id, code))
    close(stream, code.rawValue)
  }

  private func closeIfDone(_ stream: HTTP2Stream) {
    if stream.sentEnd, stream.receivedEnd { close(stream, 0) }
  }

  private func close(_ stream: HTTP2Stream, _ code: UInt32) {
    guard streams.removeValue(forKey: stream.id) != nil else { return }
    stream.isClosing = true
    over.append((stream, code))
  }

  func reportClosed() {
    while !over.isEmpty {
      let (stream, code) = over.removeFirst()
      delegate.streamClosed(stream, code: code)
    }
  }

  var isFinished: Bool { isEnding && streams.isEmpty && said.isEmpty }
  var queuedFrames: Int { said.count }
  var isInsideHeaderBlock: Bool { false }
  var peerMaxConcurrentStreams: Int { .max }
  var sendWindow: Int { .max }
  var receiveWindow: Int { .max }
  func ping(_ payload: UInt64) { said.append(.ping(payload)) }
  func setReceiveWindow(stream: Int, connection: Int) {}
  func announceShutdown() { said.append(.goAway(last: .max, .noError)) }
  func refuseNewStreams() { goAway(.noError, "") }
  func terminate(_ code: ResetCode) { goAway(code, "") }

  func goAway(_ code: ResetCode, _ why: StaticString) {
    isEnding = true
    said.append(.goAway(last: highest, code))
  }
}
