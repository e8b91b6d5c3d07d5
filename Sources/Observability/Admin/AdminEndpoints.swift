public import RPC

/// What operators ask over plain HTTP: `/metrics`, `/healthz`, `/readyz`. Belongs on a listener of its own, never on a
/// public one: it asks nobody who they are.
///
/// ```swift
/// let admin = AdminEndpoints(sources: [metrics, lag], readiness: readiness)
/// let server = try HTTP2Server(acceptor: admin, listen: [.cleartext("127.0.0.1:9090")!], group: group)
/// ```
public final class AdminEndpoints: RequestAcceptor {
  private let sources: [any MetricSource]
  private let readiness: Readiness
  private let readinessTimeout: Duration

  /// - Parameter sources: whose metrics `/metrics` shows, in this order.
  public init(
    sources: [any MetricSource], readiness: Readiness,
    readinessTimeout: Duration = ObservabilityLimits.readinessTimeout
  ) {
    self.sources = sources
    self.readiness = readiness
    self.readinessTimeout = readinessTimeout
  }

  public func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    let exchange = AdminExchange(stream, wantsBody: head.method != "HEAD")
    guard head.method == "GET" || head.method == "HEAD" else {
      exchange.answer(405, text: "GET or HEAD, please\n", headers: ["allow": "GET, HEAD"])
      return exchange
    }
    // What follows a question mark changes nothing.
    switch head.path.prefix(while: { $0 != "?" }) {
    case "/metrics":
      let format = ExpositionFormat(accept: head.headers.first("accept"))
      exchange.answer(200, type: format.contentType, format.render(sources.flatMap { $0.metrics() }))
    case "/healthz":
      // Whoever reads this has been answered by the event loop.
      exchange.answer(200, text: "ok\n")
    case "/readyz": answerReadiness(exchange)
    default: exchange.answer(404, text: "there are /metrics, /healthz and /readyz\n")
    }
    return exchange
  }

  private func answerReadiness(_ exchange: AdminExchange) {
    let (readiness, limit) = (readiness, readinessTimeout)
    Task(executorPreference: exchange.executor) {
      let reasons = await readiness.reasons(within: limit, on: exchange.executor)
      let text = reasons.isEmpty ? "ready\n" : "not ready\n" + reasons.map { $0 + "\n" }.joined()
      exchange.executor.execute { exchange.answer(reasons.isEmpty ? 200 : 503, text: text) }
    }
  }
}

/// One request to the endpoints. Confined to the stream's executor, hence unchecked.
final class AdminExchange: ServerStreamHandler, @unchecked Sendable {
  let executor: any CallExecutor
  /// nil once the stream is gone.
  private var stream: (any ServerStream)?
  private let wantsBody: Bool

  init(_ stream: any ServerStream, wantsBody: Bool) {
    self.stream = stream
    self.wantsBody = wantsBody
    executor = stream.executor
  }

  func answer(_ status: Int, text: String, headers: HeaderList = HeaderList()) {
    answer(status, type: "text/plain; charset=utf-8", Array(text.utf8), headers: headers)
  }

  func answer(_ status: Int, type: String, _ body: [UInt8], headers: HeaderList = HeaderList()) {
    guard let stream else { return }
    var headers = headers
    headers.append("content-type", type)
    headers.append("content-length", String(body.count))
    headers.append("cache-control", "no-store")
    stream.respond(status: status, headers: headers, endStream: !wantsBody || body.isEmpty)
    if wantsBody, !body.isEmpty {
      stream.write(body)
      stream.finish(trailers: nil)
    }
  }

  /// A body has no meaning here.
  func receive(_ bytes: Span<UInt8>) { stream?.consumed(bytes.count) }
  func receiveEnd() {}
  func drained() {}
  func closed(_ reason: StreamClosure?) { stream = nil }
}
