internal import CLinux

/// Small shared state behind one lock, reachable only inside `withLock`.
///
/// A pthread mutex and not `Synchronization.Mutex`: ThreadSanitizer of this toolchain reports false races on the
/// latter, and an uncontended pthread lock costs as little.
public final class Locked<State>: @unchecked Sendable {
  // Unchecked because the compiler cannot see that every access holds `mutex`, which makes it exclusive, too: a second
  // one from inside would wait for ever.
  @safe @exclusivity(unchecked) private var state: State
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  public init(_ state: sending State) {
    self.state = state
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    let result = pthread_mutex_init(mutex, nil)
    precondition(result == 0, "pthread_mutex_init failed: \(result)")
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs `body` with exclusive access. Must not be called again from inside `body`.
  public func withLock<Result, Failure: Error>(
    _ body: (inout State) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }
}
