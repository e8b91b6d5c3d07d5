/// Where one task waits until another part of the program calls it back.
///
/// Works like a semaphore with one permit: `unpark` before `park` lets the next `park` pass, so no wake-up is lost.
/// A `park` may return without cause; look at the condition again, in a loop.
public final class ParkingSpot: Sendable {
  private enum State {
    case empty
    case permit
    case parked(UnsafeContinuation<Void, Never>)
  }

  private let state = Locked<State>(.empty)

  public init() {}

  /// Waits for `unpark`. Only one task may wait at a time.
  /// - Throws: `CancellationError` when the task is cancelled.
  public func park() async throws {
    try Task.checkCancellation()
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let passes = state.withLock { state in
          switch state {
          case .permit:
            state = .empty
            return true
          case .empty:
            state = .parked(continuation)
            return false
          case .parked:
            preconditionFailure("two tasks wait on one parking spot")
          }
        }
        if passes { continuation.resume() }
      }
    } onCancel: {
      unpark()
    }
    try Task.checkCancellation()
  }

  /// Waits for `unpark`, at most for `duration`.
  /// - Throws: `CancellationError` when the task is cancelled.
  public func park(atMost duration: Duration) async throws {
    let alarm = Task {
      try await Task.sleep(for: duration)
      unpark()
    }
    defer { alarm.cancel() }
    try await park()
  }

  /// Lets the waiting task, or else the next one, pass. From any thread.
  public func unpark() {
    let waiting: UnsafeContinuation<Void, Never>? = state.withLock { state in
      if case .parked(let continuation) = state {
        state = .empty
        return continuation
      }
      state = .permit
      return nil
    }
    waiting?.resume()
  }
}
