import Base
import InteropAPI
import ProtobufRuntime
import RPC

extension InteropClient {
  /// Asks by GET, as the Connect protocol has it for methods without side effects: caches know that.
  /// - Returns: nil if the server does not answer this way.
  func get(_ method: MethodDescriptor, _ request: SimpleRequest) async throws -> (SimpleResponse, cacheControl: String)?
  {
    let message = Base64.url.encode(request.encoded(headroom: 0))
    let path = "\(method.path)?connect=v1&encoding=proto&base64=1&message=\(message)"
    let answer = await PlainExchange.get(path, over: transport, scheme: options.usesTLS ? "https" : "http")
    // A server of gRPC alone refuses the method or what is asked for, each in its way.
    guard answer.status == 200, answer.headers.first("content-type") == "application/proto" else { return nil }
    let response = try SimpleResponse(decoding: answer.body.span.bytes, limits: .default)
    return (response, answer.headers.first("cache-control") ?? "missing")
  }
}

/// A request of plain HTTP without a body, and its answer.
private final class PlainExchange: ClientStreamHandler, @unchecked Sendable {
  // Unchecked: confined to the executor until it is closed.
  private(set) var status = 0
  private(set) var headers = HeaderList()
  private(set) var body: [UInt8] = []
  private var stream: (any ClientStream)?
  private let (end, hasEnded) = AsyncStream<Void>.makeStream()

  static func get(_ path: String, over transport: any ClientTransport, scheme: String) async -> PlainExchange {
    let exchange = PlainExchange()
    let executor = transport.executor()
    executor.execute {
      let head = RequestHead(
        method: "GET", path: path, scheme: scheme, authority: "localhost", headers: ["connect-protocol-version": "1"])
      let stream = transport.open(head, on: executor, handler: exchange)
      exchange.stream = stream
      stream.finish()
    }
    for await _ in exchange.end {}
    return exchange
  }

  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    self.status = status
    self.headers = headers
  }

  func receive(_ bytes: Span<UInt8>) {
    body.append(copying: bytes)
    stream?.consumed(bytes.count)
  }

  func receiveEnd(trailers: HeaderList) {}
  func drained() {}

  func closed(_ reason: StreamClosure?) {
    stream = nil
    hasEnded.finish()
  }
}
