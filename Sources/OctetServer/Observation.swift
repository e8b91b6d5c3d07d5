import Base
import DomainKit
import HTTP2
import Observability
import RPC

/// What hears of the server's calls: metrics always, traces and logs as they are wanted.
final class Observation: Sendable {
  private static let serviceName = "octetd"
  /// How long the last spans may take to reach the collector when the server ends.
  private static let exportGrace: Duration = .seconds(2)

  let calls: CallObservatory
  /// What can be shown of them.
  let sources: [any MetricSource]
  private let lag: LoopLag
  private let log: CallLog?
  private let collector: Collector?

  /// The way to the collector, for operators.
  var channel: (any InspectableChannel)? { collector?.transport }

  /// The way to the collector, on an event loop of its own.
  private struct Collector {
    let exporter: SpanExporter
    let transport: HTTP2ClientTransport
    let group: EventLoopGroup
  }

  /// - Parameters:
  ///   - methods: of the server's registry.
  ///   - loops: on which its calls run.
  init(
    _ configuration: ObservationSettings, methods: [MethodDescriptor], loops: EventLoopGroup, kit: Kit
  ) throws(StartFailure) {
    lag = LoopLag(of: loops.loops, clock: kit.clock)
    log =
      configuration.logsAccess || configuration.slowCall != nil
      ? CallLog(all: configuration.logsAccess, slow: configuration.slowCall, lag: lag) { call in
        call.caller.map { $0.user.text(kind: "user") }
      } : nil
    collector = try configuration.otlpEndpoint.map { (endpoint) throws(StartFailure) in
      try Self.collector(endpoint, random: kit.random)
    }
    let exporter = collector?.exporter
    // A log without an exporter has the ids of traces that clients have begun.
    let ratio = SampleRatio(exporter == nil ? 0 : configuration.traceSampleRatio)
    let tracer =
      exporter != nil || configuration.logsAccess
      ? Tracer(ratio: ratio, random: kit.random, clock: kit.clock) { exporter?.add($0) } : nil
    let metrics = ServerMetrics(methods: methods, executors: loops.loops)
    calls = CallObservatory(metrics: metrics, tracer: tracer, log: log, clock: kit.clock)
    var sources: [any MetricSource] = [metrics, lag]
    if let log { sources.append(log) }
    if let exporter { sources.append(exporter) }
    self.sources = sources
  }

  private static func collector(
    _ endpoint: OTLPEndpoint, random: any RandomSource
  ) throws(StartFailure) -> Collector {
    do {
      let group = try EventLoopGroup(loops: 1)
      let transport = HTTP2ClientTransport(
        target: endpoint.target, tls: endpoint.isEncrypted ? try TLSClientConfiguration() : nil, group: group,
        random: random)
      let channel = RPCChannel(
        transport: transport, authority: transport.authority, scheme: endpoint.isEncrypted ? "https" : "http")
      let instance = String(random.next(), radix: 16, width: 16)
      let exporter = SpanExporter(channel: channel, service: serviceName, instance: instance, random: random)
      return Collector(exporter: exporter, transport: transport, group: group)
    } catch {
      throw StartFailure(error, opening: "the way to the collector")
    }
  }

  /// Ends what observes: when the calls have ended, and before their loops do.
  func stop() async {
    lag.stop()
    log?.close()
    guard let collector else { return }
    await collector.exporter.close(within: Self.exportGrace)
    await collector.transport.shutdown()
    await collector.group.shutdown()
  }
}
