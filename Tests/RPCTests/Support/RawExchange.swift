import Base
import RPC

/// A request made by hand over the in-process transport, and all that came back: for what a well-behaved client never
/// sends, and for what the bytes of an answer are exactly.
final class RawExchange: ClientStreamHandler, @unchecked Sendable {
  // Unchecked: confined to the executor until `closed`, read by the test after it.
  private(set) var status = 0
  private(set) var head = HeaderList()
  private(set) var isTrailersOnly = false
  private(set) var body: [UInt8] = []
  private(set) var trailers = HeaderList()
  private(set) var closure: StreamClosure?
  private var stream: (any ClientStream)?
  private let executor: any CallExecutor
  private let returnsWindow: Bool
  private let done = Signal()
  let gotHead = Signal()

  static let headers: HeaderList = ["content-type": "application/grpc", "te": "trailers"]

  init(
    _ transport: InProcessTransport, path: String, method: String = "POST", headers: HeaderList = headers,
    returnsWindow: Bool = true
  ) {
    let executor = transport.executor()
    self.executor = executor
    self.returnsWindow = returnsWindow
    executor.execute {
      let head = RequestHead(method: method, path: path, scheme: "http", authority: "test", headers: headers)
      self.stream = transport.open(head, on: executor, handler: self)
    }
  }

  /// The status of the call, wherever it is.
  var grpcStatus: String? { trailers.first("grpc-status") ?? head.first("grpc-status") }
  var grpcMessage: String? { trailers.first("grpc-message") ?? head.first("grpc-message") }

  func write(_ bytes: [UInt8]) { executor.execute { self.stream?.write(bytes) } }
  func send(_ payload: [UInt8], flag: UInt8 = 0) {
    var bytes = EncodedMessage(RawMessage(payload)).bytes
    bytes[0] = flag
    write(bytes)
  }
  func finish() { executor.execute { self.stream?.finish() } }
  func reset() { executor.execute { self.stream?.reset(.cancel) } }

  /// Waits for the end of the stream.
  @discardableResult
  func end() async -> RawExchange {
    await done.wait()
    return self
  }

  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    self.status = status
    head = headers
    isTrailersOnly = endStream
    gotHead.fire()
  }
  func receive(_ bytes: Span<UInt8>) {
    for index in bytes.indices { body.append(bytes[index]) }
    if returnsWindow { stream?.consumed(bytes.count) }
  }
  func receiveEnd(trailers: HeaderList) { self.trailers = trailers }
  func drained() {}
  func closed(_ reason: StreamClosure?) {
    closure = reason
    stream = nil
    done.fire()
  }
}
