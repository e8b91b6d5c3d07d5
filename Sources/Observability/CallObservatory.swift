public import Base
public import RPC

/// Observes all calls of a server: counts them, traces them, logs them. What is not wanted costs nothing.
///
/// ```swift
/// let observatory = CallObservatory(metrics: ServerMetrics(methods: registry.methods, executors: group.loops))
/// let server = RPCServer(
///   registry: registry, interceptors: observatory.interceptors + [authentication], observer: observatory)
/// ```
public final class CallObservatory: CallObserver {
  private enum SpanKey: CallKey { typealias Value = Tracer.ServerSpan }
  private enum WaitsKey: CallKey { typealias Value = CallWaits }

  private let counters: ServerMetrics
  private let tracer: Tracer?
  private let log: CallLog?
  private let clock: any WallClock
  public let wantsStages: Bool

  public init(
    metrics: ServerMetrics, tracer: Tracer? = nil, log: CallLog? = nil, clock: any WallClock = SystemClock()
  ) {
    counters = metrics
    self.tracer = tracer
    self.log = log
    self.clock = clock
    wantsStages = log?.slowThreshold != nil
  }

  /// What the server's interceptors must begin with, so that handlers run in the context of their spans; none if calls
  /// are only counted.
  public var interceptors: [any ServerInterceptor] {
    tracer != nil || wantsStages ? [Scope()] : []
  }

  public func began(_ call: ServerContext) {
    counters.began(call.methodNumber, on: call.executorNumber)
    if let tracer { call[SpanKey.self] = tracer.begin(call) }
    if wantsStages { call[WaitsKey.self] = CallWaits() }
  }

  public func ended(_ call: ServerContext, _ status: StatusCode, _ record: CallRecord) {
    counters.ended(call.methodNumber, on: call.executorNumber, status, record)
    guard tracer != nil || log != nil else { return }
    let span = call[SpanKey.self]
    if let tracer, let span { tracer.end(span, call, status, record) }
    log?.ended(call, status, record, span?.context, call[WaitsKey.self])
  }

  public func refused(_ head: RequestHead, methodNumber: Int?, _ status: StatusCode, peer: PeerInfo) {
    counters.refused(methodNumber, status)
    log?.refused(head, status, peer, at: clock.now())
  }

  /// Runs handlers in the context of their spans, and with somewhere to add up their waits.
  private struct Scope: EnclosingServerInterceptor {
    func around(_ context: ServerContext, _ body: () async throws -> Void) async throws {
      try await TraceContext.$current.withValue(context[SpanKey.self]?.context) {
        try await CallWaits.$current.withValue(context[WaitsKey.self]) { try await body() }
      }
    }
  }
}

/// Observes the calls of channels: counts them, traces them. One may serve many channels.
public final class ClientObservatory: ClientCallObserver {
  private let counters: ClientMetrics
  private let tracer: Tracer?
  private let clock: any WallClock

  public init(metrics: ClientMetrics, tracer: Tracer? = nil, clock: any WallClock = SystemClock()) {
    counters = metrics
    self.tracer = tracer
    self.clock = clock
  }

  public func began(_ method: MethodDescriptor, _ options: inout CallOptions) -> (any ClientCallObservation)? {
    let counters = counters.counters(method)
    counters.began()
    return Observation(counters, tracer, tracer?.begin(method, &options), clock)
  }

  private final class Observation: ClientCallObservation {
    private let counters: CallCounters
    private let tracer: Tracer?
    private let span: Tracer.ClientSpan?
    private let clock: any WallClock
    private let began: Instant

    init(_ counters: CallCounters, _ tracer: Tracer?, _ span: Tracer.ClientSpan?, _ clock: any WallClock) {
      self.counters = counters
      self.tracer = tracer
      self.span = span
      self.clock = clock
      began = clock.now()
    }

    func ended(_ status: StatusCode, _ counts: CallCounts) {
      counters.ended(status, nanoseconds: max(clock.now().nanoseconds &- began.nanoseconds, 0), counts)
      if let tracer, let span { tracer.end(span, status) }
    }
  }
}
