public import Base

/// Runs a library's collector in the background, at intervals that nodes do not share.
public final class BlobCollector: Sendable {
  private let library: BlobLibrary
  private let interval: Duration
  private let random: any RandomSource
  private let log: @Sendable (any Error) -> Void
  private let state = Locked(State())
  private let wakeUp = ParkingSpot()

  private struct State {
    var loop: Task<Void, Never>?
    var isStopping = false
  }

  /// - Parameters:
  ///   - interval: between two runs, give or take a fifth.
  ///   - log: hears of runs that failed.
  public init(
    _ library: BlobLibrary, interval: Duration = .seconds(60), random: any RandomSource,
    log: @escaping @Sendable (any Error) -> Void
  ) {
    self.library = library
    self.interval = interval
    self.random = random
    self.log = log
  }

  /// Starts the runs. Once.
  public func start() {
    state.withLock { state in
      precondition(state.loop == nil, "the collector was started twice")
      state.loop = Task { await run() }
    }
  }

  /// Ends the runs; one that is under way is finished first.
  public func stop() async {
    let loop = state.withLock { state in
      state.isStopping = true
      return state.loop
    }
    wakeUp.unpark()
    await loop?.value
  }

  private func run() async {
    while !state.withLock({ $0.isStopping }) {
      do {
        _ = try await library.collect()
      } catch {
        log(error)
      }
      // Nobody cancels the loop's task; stopping wakes it up.
      try? await wakeUp.park(atMost: random.jittered(interval))
    }
  }
}
