public import Base
internal import OpenTelemetryAPI
public import RPC
internal import Synchronization

/// Brings spans to an OpenTelemetry collector over OTLP/gRPC, in batches.
///
/// Spans that it cannot bring in time are dropped and counted: no call ever waits for the collector. May be used from
/// any thread.
public final class SpanExporter: MetricSource {
  private struct State {
    var waiting: [CallSpan] = []
    var isClosed = false
  }

  private let client: TraceServiceClient
  private let resource: OTLPResource
  let interval: Duration
  private let backoff: Duration
  private let timeout: Duration
  private let random: any RandomSource
  private let state = Locked(State())
  private let spot = ParkingSpot()
  private let task = Locked<Task<Void, Never>?>(nil)
  private let exported = Atomic(0)
  private let overflowed = Atomic(0)
  private let refused = Atomic(0)

  /// Begins to export.
  /// - Parameters:
  ///   - channel: to the collector. It must not be observed itself.
  ///   - service: the name under which the collector knows this process (`service.name`).
  ///   - instance: tells processes of one service apart (`service.instance.id`).
  ///   - interval: how long a span may wait for its batch to fill, and be lost if the process dies meanwhile.
  ///   - backoff: the wait after the first failed attempt; it doubles with each, give or take a fifth.
  ///   - timeout: how long one attempt to bring a batch may take.
  public init(
    channel: RPCChannel, service: String, instance: String,
    every interval: Duration = ObservabilityLimits.exportInterval,
    backoff: Duration = ObservabilityLimits.exportBackoff, timeout: Duration = ObservabilityLimits.exportTimeout,
    random: any RandomSource = SystemRandomSource()
  ) {
    client = TraceServiceClient(channel)
    resource = OTLPResource(service: service, instance: instance)
    self.interval = interval
    self.backoff = backoff
    self.timeout = timeout
    self.random = random
    let task = Task { await self.run() }
    self.task.withLock { $0 = task }
  }

  /// Takes a span, unless too many wait.
  public func add(_ span: CallSpan) {
    let isBatch = state.withLock { state in
      guard !state.isClosed, state.waiting.count < ObservabilityLimits.waitingSpans else { return Bool?.none }
      state.waiting.append(span)
      return state.waiting.count == ObservabilityLimits.spansPerExport
    }
    guard let isBatch else {
      overflowed.wrappingAdd(1, ordering: .relaxed)
      return
    }
    if isBatch { spot.unpark() }
  }

  /// Brings what waits, for at most `limit`, and ends. Spans given later are dropped.
  public func close(within limit: Duration) async {
    state.withLock { $0.isClosed = true }
    spot.unpark()
    guard let task = task.withLock({ $0 }) else { return }
    let alarm = Task {
      try await Task.sleep(for: limit)
      task.cancel()
    }
    await task.value
    alarm.cancel()
  }

  public func metrics() -> [MetricFamily] {
    let waiting = state.withLock { $0.waiting.count }
    return [
      MetricFamily(
        "octet_spans_exported_total", .counter, "Spans that the collector has taken.",
        exported.load(ordering: .relaxed)),
      MetricFamily(
        "octet_spans_dropped_total", .counter, "Spans that did not reach the collector.",
        [
          MetricSample([MetricLabel("reason", "queue_full")], overflowed.load(ordering: .relaxed)),
          MetricSample([MetricLabel("reason", "export_failed")], refused.load(ordering: .relaxed)),
        ]),
      MetricFamily("octet_spans_waiting", .gauge, "Spans that wait for the next export.", waiting),
    ]
  }

  // MARK: The task

  private func run() async {
    while true {
      let (batch, isClosed) = takeBatch()
      if !batch.isEmpty {
        await bring(batch)
      } else if isClosed || Task.isCancelled {
        return
      } else {
        // A cancelled wait ends the loop at its next turn.
        try? await spot.park(atMost: interval)
      }
    }
  }

  private func takeBatch() -> (batch: [CallSpan], isClosed: Bool) {
    state.withLock { state in
      let batch = Array(state.waiting.prefix(ObservabilityLimits.spansPerExport))
      state.waiting.removeFirst(batch.count)
      return (batch, state.isClosed)
    }
  }

  /// Exports a batch, again if the collector is away; after some attempts it is dropped.
  private func bring(_ batch: [CallSpan]) async {
    let request = resource.request(batch)
    for attempt in 0..<ObservabilityLimits.exportAttempts {
      do {
        let response = try await client.export(request, options: CallOptions(timeout: timeout))
        let rejected = min(max(Int(response.partialSuccess?.rejectedSpans ?? 0), 0), batch.count)
        refused.wrappingAdd(rejected, ordering: .relaxed)
        exported.wrappingAdd(batch.count - rejected, ordering: .relaxed)
        return
      } catch {
        guard let error = error as? RPCError, Self.isWorthARetry(error), !Task.isCancelled,
          attempt + 1 < ObservabilityLimits.exportAttempts
        else { break }
        // A cancelled wait means that the process ends.
        try? await Task.sleep(for: pause(after: attempt))
      }
    }
    refused.wrappingAdd(batch.count, ordering: .relaxed)
  }

  /// The codes that OTLP's specification calls retryable.
  private static func isWorthARetry(_ error: RPCError) -> Bool {
    switch error.code {
    case .cancelled, .deadlineExceeded, .aborted, .outOfRange, .unavailable, .dataLoss: true
    // Only from a collector that says when to come back.
    case .resourceExhausted: error.retryDelay != nil
    default: false
    }
  }

  /// How long to wait after a failed attempt, of which the first is number 0.
  func pause(after attempt: Int) -> Duration {
    let jitter = Double(random.below(401)) / 1000 + 0.8
    return backoff * (1 << attempt) * jitter
  }
}
