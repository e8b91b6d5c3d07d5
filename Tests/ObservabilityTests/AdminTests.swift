import Base
import HTTP2
import RPC
import Testing

@testable import Observability

@Suite struct AdminTests {
  private func admin(
    sources: [any MetricSource] = [], readiness: Readiness = Readiness([]), timeout: Duration = .seconds(60)
  ) -> InProcessTransport {
    InProcessTransport(
      acceptor: AdminEndpoints(sources: sources, readiness: readiness, readinessTimeout: timeout))
  }

  /// For connections on the system's clock: a peer that has no turn is not one that does nothing.
  private static var patient: HTTP2Limits {
    var limits = HTTP2Limits()
    limits.connectTimeout = .seconds(3600)
    limits.handshakeTimeout = .seconds(3600)
    limits.sendTimeout = .seconds(3600)
    return limits
  }

  @Test func `metrics come in the form that was asked for`() async {
    let source = ReadMetrics { [MetricFamily("answers_total", .counter, "Answers.", 42)] }
    let transport = admin(sources: [source, ProcessMetrics()])
    let text = await WebRequest.get("/metrics", transport)
    #expect(text.status == 200)
    #expect(text.headers.first("content-type") == "text/plain; version=0.0.4; charset=utf-8")
    #expect(text.headers.first("content-length") == String(text.body.count))
    #expect(text.text.contains("\nanswers_total 42\n"))
    #expect(text.text.contains("# TYPE process_resident_memory_bytes gauge\n"))
    let open = await WebRequest.get(
      "/metrics?x=1", transport, headers: ["accept": "application/openmetrics-text; version=1.0.0"])
    #expect(open.headers.first("content-type")?.hasPrefix("application/openmetrics-text; version=1.0.0") == true)
    #expect(open.text.hasSuffix("# EOF\n"))
  }

  @Test func `only what is there can be got, and only got`() async {
    let transport = admin()
    #expect(await WebRequest.get("/healthz", transport).text == "ok\n")
    #expect(await WebRequest.get("/", transport).status == 404)
    #expect(await WebRequest.get("/metrics/", transport).status == 404)
    let posted = await WebRequest.get("/metrics", transport, method: "POST")
    #expect(posted.status == 405 && posted.headers.first("allow") == "GET, HEAD")
    let head = await WebRequest.get("/healthz", transport, method: "HEAD")
    #expect(head.status == 200 && head.body.isEmpty && head.headers.first("content-length") == "3")
  }

  @Test func `readiness says why not`() async {
    struct Broken: Error {}
    let readiness = Readiness([("database", { throw Broken() }), ("disk", {})])
    let answer = await WebRequest.get("/readyz", admin(readiness: readiness))
    #expect(answer.status == 503 && answer.text == "not ready\ndatabase: failed\n")
    let well = Readiness([("database", {})])
    #expect(await WebRequest.get("/readyz", admin(readiness: well)).text == "ready\n")
    well.beginDraining()
    let draining = await WebRequest.get("/readyz", admin(readiness: well))
    #expect(draining.status == 503 && draining.text == "not ready\ndraining\n")
  }

  @Test func `a check that hangs is not ready, and not begun again`() async {
    let begun = Locked(0)
    let (release, releases) = AsyncStream<Void>.makeStream()
    let readiness = Readiness([
      (
        "database",
        {
          begun.withLock { $0 += 1 }
          for await _ in release { break }
        }
      )
    ])
    let transport = admin(readiness: readiness, timeout: .milliseconds(1))
    #expect(await WebRequest.get("/readyz", transport).text == "not ready\ndatabase: no answer within 1 ms\n")
    // Its time may be over before its turn has come.
    while begun.withLock({ $0 }) == 0 { await Task.yield() }
    #expect(await WebRequest.get("/readyz", transport).text == "not ready\ndatabase: still no answer\n")
    #expect(begun.withLock { $0 } == 1)
    releases.yield()
  }

  @Test func `a check has readinessTimeout to answer`() async throws {
    let begun = AsyncStream<Void>.makeStream()
    let (release, releases) = AsyncStream<Void>.makeStream()
    let readiness = Readiness([
      (
        "database",
        {
          begun.continuation.yield()
          for await _ in release { break }
        }
      )
    ])
    let groups = (try EventLoopGroup(loops: 1, time: ManualTime()), try EventLoopGroup(loops: 1))
    let server = try HTTP2Server(
      acceptor: AdminEndpoints(sources: [], readiness: readiness), listen: [.cleartext("127.0.0.1:0")!],
      group: groups.0)
    try await server.start()
    let transport = HTTP2ClientTransport(
      target: ClientTarget("\(server.boundAddresses[0].address)")!, limits: Self.patient, group: groups.1)
    let isAnswered = Locked(false)
    async let answer = {
      let answer = await WebRequest.get("/readyz", transport)
      isAnswered.withLock { $0 = true }
      return answer
    }()
    _ = await begun.stream.first { _ in true }
    await groups.0.advance(by: ObservabilityLimits.readinessTimeout - .nanoseconds(1))
    // Whatever that has caused has been answered before this is.
    #expect(await WebRequest.get("/healthz", transport).status == 200)
    #expect(!isAnswered.withLock { $0 })
    await groups.0.advance(by: .nanoseconds(1))
    #expect(await answer.text == "not ready\ndatabase: no answer within 2000 ms\n")
    releases.yield()
    await transport.shutdown()
    await server.drain(within: .zero)
    await groups.1.shutdown()
    await groups.0.shutdown()
  }

  @Test func `the endpoints answer over a real connection`() async throws {
    let group = try EventLoopGroup(loops: 1)
    let server = try HTTP2Server(
      acceptor: AdminEndpoints(sources: [ProcessMetrics()], readiness: Readiness([])),
      listen: [.cleartext("127.0.0.1:0")!], limits: Self.patient, group: group)
    try await server.start()
    let clients = try EventLoopGroup(loops: 1)
    let transport = HTTP2ClientTransport(
      target: ClientTarget("\(server.boundAddresses[0].address)")!, limits: Self.patient, group: clients)
    let answer = await WebRequest.get("/metrics", transport)
    #expect(answer.status == 200 && answer.text.contains("\nprocess_open_fds "))
    #expect(await WebRequest.get("/readyz", transport).text == "ready\n")
    await transport.shutdown()
    await server.drain(within: .zero)
    await clients.shutdown()
    await group.shutdown()
  }
}
