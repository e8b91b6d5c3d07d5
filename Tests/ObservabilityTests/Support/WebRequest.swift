import RPC

/// A plain HTTP request over a transport, and its answer.
final class WebRequest: ClientStreamHandler, @unchecked Sendable {
  // Unchecked: confined to the executor until `closed`, read by the test after it.
  private(set) var status = 0
  private(set) var headers = HeaderList()
  private(set) var body: [UInt8] = []
  private var stream: (any ClientStream)?
  private let (ends, ended) = AsyncStream<Void>.makeStream()

  static func get(
    _ path: String, _ transport: any ClientTransport, method: String = "GET", headers: HeaderList = HeaderList()
  ) async -> WebRequest {
    let request = WebRequest()
    let executor = transport.executor()
    executor.execute {
      let head = RequestHead(method: method, path: path, scheme: "http", authority: "test", headers: headers)
      let stream = transport.open(head, on: executor, handler: request)
      request.stream = stream
      stream.finish()
    }
    for await _ in request.ends { break }
    return request
  }

  var text: String { String(decoding: body, as: UTF8.self) }

  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    self.status = status
    self.headers = headers
  }
  func receive(_ bytes: Span<UInt8>) {
    for index in bytes.indices { body.append(bytes[index]) }
    stream?.consumed(bytes.count)
  }
  func receiveEnd(trailers: HeaderList) {}
  func drained() {}
  func closed(_ reason: StreamClosure?) {
    stream = nil
    ended.yield()
  }
}
