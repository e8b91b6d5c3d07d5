public import Base
public import RPC
internal import Synchronization

/// Measures how late event loops are: a timer on each, whose lateness is what any work waits that comes to the loop.
///
/// The loop's timers have a resolution of 1 ms. The measurement costs calls nothing and a loop ten short wake-ups a
/// second.
public final class LoopLag: MetricSource {
  private static let bounds: [Int64] = [
    2_000_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000,
    2_500_000_000,
  ]

  private let meters: [Meter]

  /// Begins to measure.
  public init(
    of executors: [any CallExecutor], every interval: Duration = ObservabilityLimits.lagInterval,
    clock: any WallClock = SystemClock()
  ) {
    meters = executors.map { Meter($0, interval, clock) }
    for meter in meters { meter.start() }
  }

  /// Ends the measurement. To be called before the loops end.
  public func stop() {
    for meter in meters { meter.isStopped.store(true, ordering: .relaxed) }
  }

  deinit { stop() }

  /// How late the executor with this number was when it was last measured, or is by now; zero if it is not measured.
  func lag(of executorNumber: Int) -> Duration {
    meters.first { $0.executor.number == executorNumber }?.current ?? .zero
  }

  public func metrics() -> [MetricFamily] {
    let bounds = Self.bounds.map { Double($0) / 1e9 }
    var samples: [MetricSample] = []
    for (index, meter) in meters.enumerated() {
      let measured = meter.measured
      samples += MetricSample.histogram(
        [MetricLabel("loop", String(index))], bounds: bounds, counts: measured.counts,
        sum: Double(measured.nanoseconds) / 1e9)
    }
    return [
      MetricFamily("octet_loop_lag_seconds", .histogram, "How late the event loop was, measured by a timer.", samples)
    ]
  }

  /// The timer of one loop, and what it found.
  private final class Meter: Sendable {
    private struct State {
      var counts = [Int](repeating: 0, count: LoopLag.bounds.count + 1)
      var nanoseconds: Int64 = 0
      var last: Int64 = 0
      /// When the timer is due.
      var due: Instant
    }

    let executor: any CallExecutor
    let isStopped = Atomic(false)
    private let interval: Duration
    private let clock: any WallClock
    private let state: Locked<State>

    init(_ executor: any CallExecutor, _ interval: Duration, _ clock: any WallClock) {
      self.executor = executor
      self.interval = interval
      self.clock = clock
      state = Locked(State(due: clock.now() + interval))
    }

    func start() {
      _ = executor.schedule(after: interval) { [weak self] in self?.fired() }
    }

    private func fired() {
      guard !isStopped.load(ordering: .relaxed) else { return }
      let now = clock.now()
      state.withLock { state in
        // A clock that was set back makes no loop early.
        let late = max((now - state.due).inNanoseconds, 0)
        state.counts[LoopLag.bounds.firstIndex { late <= $0 } ?? LoopLag.bounds.count] += 1
        state.nanoseconds += late
        state.last = late
        state.due = now + interval
      }
      start()
    }

    var measured: (counts: [Int], nanoseconds: Int64) { state.withLock { ($0.counts, $0.nanoseconds) } }

    var current: Duration {
      let now = clock.now()
      return state.withLock { .nanoseconds(max($0.last, (now - $0.due).inNanoseconds)) }
    }
  }
}
