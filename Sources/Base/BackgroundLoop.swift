/// Work that one task does over and over in the background until it is stopped, with pauses that others can cut short.
/// Safe to share between threads.
///
/// ```swift
/// loop.start {
///   while !loop.isStopping {
///     await deliver()
///     await loop.pause(atMost: .seconds(1))
///   }
/// }
/// ```
public final class BackgroundLoop: Sendable {
  private struct State {
    var task: Task<Void, Never>?
    var isStopping = false
  }

  private let state = Locked(State())
  private let spot = ParkingSpot()

  public init() {}

  /// Whether `stop` waits for the work to end. The work looks at it between its pieces.
  public var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Begins the work. Traps if it goes on already.
  public func start(_ work: @escaping @Sendable () async -> Void) {
    state.withLock { state in
      precondition(state.task == nil, "background work was started twice")
      state.task = Task { await work() }
    }
  }

  /// Ends the work: cuts a pause short and waits until the work has returned. It may be started again afterwards.
  public func stop() async {
    let task = state.withLock { state in
      state.isStopping = true
      return state.task
    }
    wake()
    await task?.value
    state.withLock { $0 = State() }
  }

  /// Waits for `wake` or `stop`, at most for `duration`. For the work alone.
  public func pause(atMost duration: Duration) async {
    if isStopping { return }
    // Nobody cancels the task; stopping wakes it up.
    try? await spot.park(atMost: duration)
  }

  /// Cuts the present pause, or else the next one, short. From any thread.
  public func wake() { spot.unpark() }
}
