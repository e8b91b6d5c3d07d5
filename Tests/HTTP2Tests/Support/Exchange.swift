import Base
import RPC

/// One request of a test's client, and all that comes back.
final class Exchange: ClientStreamHandler, @unchecked Sendable {
  // Unchecked: the state is behind a lock, the stream is used on its executor only.

  struct Response: Sendable {
    var status = 0
    var headers = HeaderList()
    var body: [UInt8] = []
    var bodySize = 0
    var trailers: HeaderList?
    var hasEnded = false
    var isClosed = false
    var closure: StreamClosure?
    var closeCalls = 0
  }

  private struct State {
    var response = Response()
    var waiters: [(condition: @Sendable (Response) -> Bool, CheckedContinuation<Response, Never>)] = []
  }

  let executor: any CallExecutor
  private let state = Locked(State())
  private(set) var stream: (any ClientStream)!
  private let keepsBody: Bool
  /// Whether received bytes are given back at once.
  private let consumes: Bool
  private var left: [[UInt8]] = []
  private var finishes = false

  private init(_ executor: any CallExecutor, keepsBody: Bool, consumes: Bool) {
    self.executor = executor
    self.keepsBody = keepsBody
    self.consumes = consumes
  }

  /// Sends a request; the pieces of the body follow as the stream takes them.
  static func start(
    _ transport: any ClientTransport, path: String = "/test.Service/Method", headers: HeaderList = HeaderList(),
    body: [[UInt8]] = [], finish: Bool = true, keepsBody: Bool = true, consumes: Bool = true
  ) -> Exchange {
    let exchange = Exchange(transport.executor(), keepsBody: keepsBody, consumes: consumes)
    exchange.left = body.reversed()
    exchange.finishes = finish
    let head = RequestHead(method: "POST", path: path, scheme: "http", authority: "localhost", headers: headers)
    exchange.executor.execute {
      exchange.stream = transport.open(head, on: exchange.executor, handler: exchange)
      exchange.pump()
    }
    return exchange
  }

  private func pump() {
    while let chunk = left.popLast() {
      stream.write(chunk)
      if !stream.hasRoom { break }
    }
    if left.isEmpty, finishes {
      finishes = false
      stream.finish()
    }
  }

  // MARK: For tests, from any thread

  /// What has come when `condition` holds.
  func wait(until condition: @escaping @Sendable (Response) -> Bool) async -> Response {
    await withCheckedContinuation { continuation in
      let response: Response? = state.withLock { state in
        if condition(state.response) { return state.response }
        state.waiters.append((condition, continuation))
        return nil
      }
      if let response { continuation.resume(returning: response) }
    }
  }

  /// All that has come when the stream is gone.
  func response() async -> Response { await wait { $0.isClosed } }

  func write(_ bytes: [UInt8]) { executor.execute { self.stream.write(bytes) } }
  func finish() { executor.execute { self.stream.finish() } }
  func reset(_ code: ResetCode) { executor.execute { self.stream.reset(code) } }
  func consumed(_ count: Int) { executor.execute { self.stream.consumed(count) } }

  private func change(_ body: (inout Response) -> Void) {
    let ready: [(CheckedContinuation<Response, Never>, Response)] = state.withLock { state in
      body(&state.response)
      let response = state.response
      let ready = state.waiters.filter { $0.condition(response) }
      state.waiters.removeAll { $0.condition(response) }
      return ready.map { ($0.1, response) }
    }
    for (continuation, response) in ready { continuation.resume(returning: response) }
  }

  // MARK: ClientStreamHandler

  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    change {
      $0.status = status
      $0.headers = headers
      $0.hasEnded = endStream
    }
  }

  func receive(_ bytes: Span<UInt8>) {
    let count = bytes.count
    let copy = keepsBody ? bytes.array : []
    change {
      $0.body += copy
      $0.bodySize += count
    }
    if consumes { stream.consumed(count) }
  }

  func receiveEnd(trailers: HeaderList) {
    change {
      $0.trailers = trailers
      $0.hasEnded = true
    }
  }

  func drained() { pump() }

  func closed(_ reason: StreamClosure?) {
    change {
      $0.isClosed = true
      $0.closure = reason
      $0.closeCalls += 1
    }
  }
}
