import Base
import OpenTelemetryAPI
import RPC
import Testing

@testable import Observability

@Suite struct SpanExporterTests {
  /// A collector that answers as it is told.
  private final class Collector: TraceService {
    let requests = Locked([ExportTraceServiceRequest]())
    let answers: Locked<[RPCError?]>
    let rejected: Int64
    /// How long each request gave the collector.
    let timeouts = Locked([Duration?]())
    let clock = ManualClock()
    /// Before each answer.
    let wait: @Sendable () async -> Void

    init(answers: [RPCError?] = [], rejected: Int64 = 0, wait: @escaping @Sendable () async -> Void = {}) {
      self.wait = wait
      self.answers = Locked(answers)
      self.rejected = rejected
    }

    func export(
      _ request: ExportTraceServiceRequest, context: ServerContext
    ) async throws -> ExportTraceServiceResponse {
      requests.withLock { $0.append(request) }
      timeouts.withLock { $0.append(context.deadline.map { $0 - clock.now() }) }
      await wait()
      if let error = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw error }
      var response = ExportTraceServiceResponse()
      if rejected > 0 {
        response.partialSuccess = ExportTracePartialSuccess()
        response.partialSuccess?.rejectedSpans = rejected
      }
      return response
    }

    func exporter() -> SpanExporter {
      SpanExporter(
        channel: channel, service: "test", instance: "1", every: .seconds(3600), backoff: .nanoseconds(1),
        timeout: .seconds(3600))
    }

    var channel: RPCChannel {
      var registry = ServiceRegistry()
      register(in: &registry)
      let transport = InProcessTransport(acceptor: RPCServer(registry: registry, clock: clock))
      return RPCChannel(transport: transport, authority: "collector", clock: clock)
    }

    var spans: [OpenTelemetryAPI.Span] {
      requests.withLock { $0 }.flatMap(\.resourceSpans).flatMap(\.scopeSpans).flatMap(\.spans)
    }
  }

  private func span(_ number: UInt64, status: StatusCode = .ok, parent: UInt64? = nil) -> CallSpan {
    CallSpan(
      context: TraceContext(
        traceHigh: 0x0102_0304_0506_0708, traceLow: 9, spanID: number, isSampled: true, state: "a=1"),
      parentID: parent, hasRemoteParent: parent != nil, side: .server, service: "test.Echo", method: "Unary",
      peer: "ipv4:127.0.0.1:1", began: Instant(nanoseconds: 1_000), ended: Instant(nanoseconds: 2_500), status: status)
  }

  @Test func `spans reach the collector with all that OTLP wants to know`() async throws {
    let collector = Collector()
    let exporter = collector.exporter()
    exporter.add(span(1))
    exporter.add(span(2, status: .internal, parent: 5))
    await exporter.close(within: .seconds(3600))
    let group = try #require(collector.requests.withLock { $0.first?.resourceSpans.first })
    let names = group.resource?.attributes.map { "\($0.key)=\($0.value?.value.map { "\($0)" } ?? "")" } ?? []
    #expect(names.contains(#"service.name=stringValue("test")"#))
    #expect(names.contains(#"service.instance.id=stringValue("1")"#))
    let spans = collector.spans
    try #require(spans.count == 2)
    #expect(spans[0].traceID == [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9])
    #expect(spans[0].spanID == [0, 0, 0, 0, 0, 0, 0, 1] && spans[0].parentSpanID == [])
    #expect(spans[0].name == "test.Echo/Unary" && spans[0].kind == .server && spans[0].traceState == "a=1")
    #expect(spans[0].startTimeUnixNano == 1_000 && spans[0].endTimeUnixNano == 2_500)
    #expect(spans[0].flags == 0x101 && spans[0].status == nil)
    #expect(spans[1].parentSpanID == [0, 0, 0, 0, 0, 0, 0, 5] && spans[1].flags == 0x301)
    #expect(spans[1].status?.code == .error)
    #expect(
      spans[1].attributes.map(\.key) == [
        "rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code", "network.peer.address",
      ])
    #expect(exporter.metrics().value("octet_spans_exported_total") == .integer(2))
  }

  @Test func `a full batch does not wait for the interval`() async throws {
    let collector = Collector()
    let exporter = collector.exporter()
    for number in 1...UInt64(ObservabilityLimits.spansPerExport) { exporter.add(span(number)) }
    while collector.requests.withLock({ $0.isEmpty }) { await Task.yield() }
    await exporter.close(within: .seconds(3600))
    #expect(collector.spans.count == ObservabilityLimits.spansPerExport)
  }

  @Test func `a collector that is away for a while gets the batch later`() async {
    let collector = Collector(answers: [
      RPCError(.unavailable, "away"), RPCError(.resourceExhausted, "full").retryAfter(.seconds(1)), nil,
    ])
    let exporter = collector.exporter()
    exporter.add(span(1))
    await exporter.close(within: .seconds(3600))
    #expect(collector.requests.withLock { $0.count } == 3)
    #expect(exporter.metrics().value("octet_spans_exported_total") == .integer(1))
  }

  @Test(arguments: [
    ([RPCError](repeating: RPCError(.unavailable, "away"), count: 9), ObservabilityLimits.exportAttempts),
    ([RPCError(.invalidArgument, "what?")], 1),
    ([RPCError(.resourceExhausted, "for good")], 1),
  ])
  func `a batch that cannot be brought is dropped and counted`(answers: [RPCError], attempts: Int) async {
    let collector = Collector(answers: answers)
    let exporter = collector.exporter()
    exporter.add(span(1))
    await exporter.close(within: .seconds(3600))
    #expect(collector.requests.withLock { $0.count } == attempts)
    #expect(exporter.metrics().value("octet_spans_dropped_total", ["reason": "export_failed"]) == .integer(1))
    #expect(exporter.metrics().value("octet_spans_exported_total") == .integer(0))
  }

  @Test func `who says nothing else waits as long as the limits say`() async throws {
    let collector = Collector()
    let exporter = SpanExporter(
      channel: collector.channel, service: "test", instance: "1", random: SeededRandomSource(seed: 1))
    #expect(exporter.interval == ObservabilityLimits.exportInterval)
    for attempt in 0..<ObservabilityLimits.exportAttempts {
      let middle = ObservabilityLimits.exportBackoff * (1 << attempt)
      #expect((middle * 0.8...middle * 1.2).contains(exporter.pause(after: attempt)))
    }
    exporter.add(span(1))
    await exporter.close(within: .seconds(3600))
    #expect(Set(collector.timeouts.withLock { $0 }) == [ObservabilityLimits.exportTimeout])
  }

  @Test func `a span does not wait for others longer than the interval`() async {
    let collector = Collector()
    let exporter = SpanExporter(
      channel: collector.channel, service: "test", instance: "1", every: .nanoseconds(1), timeout: .seconds(3600))
    exporter.add(span(1))
    while collector.spans.isEmpty { await Task.yield() }
    #expect(collector.spans.count == 1)
    await exporter.close(within: .seconds(3600))
  }

  @Test func `spans that a collector refuses are counted as dropped, whatever number it says`() async {
    let collector = Collector(rejected: 7)
    let exporter = collector.exporter()
    exporter.add(span(1))
    exporter.add(span(2))
    await exporter.close(within: .seconds(3600))
    #expect(exporter.metrics().value("octet_spans_dropped_total", ["reason": "export_failed"]) == .integer(2))
  }

  @Test func `waitingSpans wait, in batches of spansPerExport, while the collector takes its time`() async throws {
    let (release, releases) = AsyncStream<Void>.makeStream()
    let collector = Collector { for await _ in release { break } }
    let exporter = collector.exporter()
    func dropped() -> MetricSample.Value? {
      exporter.metrics().value("octet_spans_dropped_total", ["reason": "queue_full"])
    }
    let (batch, most) = (ObservabilityLimits.spansPerExport, ObservabilityLimits.waitingSpans)
    // One alone keeps the exporter busy: of several it might take a part, whenever its task begins.
    exporter.add(span(1))
    while collector.requests.withLock({ $0.isEmpty }) { await Task.yield() }
    for number in 1...UInt64(most) { exporter.add(span(number)) }
    #expect(dropped() == .integer(0))
    for number in 1...7 as ClosedRange<UInt64> { exporter.add(span(number)) }
    #expect(dropped() == .integer(7))
    #expect(exporter.metrics().value("octet_spans_waiting") == .integer(most))
    releases.finish()
    await exporter.close(within: .seconds(3600))
    #expect(exporter.metrics().value("octet_spans_exported_total") == .integer(most + 1))
    let sizes = collector.requests.withLock { $0.map { $0.resourceSpans[0].scopeSpans[0].spans.count } }
    #expect(sizes == [1] + Array(repeating: batch, count: most / batch))
  }

  @Test func `spans that come after the end are dropped and counted`() async {
    let collector = Collector()
    let exporter = collector.exporter()
    await exporter.close(within: .seconds(3600))
    exporter.add(span(1))
    #expect(exporter.metrics().value("octet_spans_dropped_total", ["reason": "queue_full"]) == .integer(1))
    #expect(exporter.metrics().value("octet_spans_waiting") == .integer(0))
  }
}
