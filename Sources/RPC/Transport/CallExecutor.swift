/// The one thread that a connection, its streams and their handlers live on.
///
/// A transport's event loop implements it. Handlers run as tasks that prefer this executor, so there is no hop
/// between socket and handler.
public protocol CallExecutor: TaskExecutor {
  /// Whether the calling thread is this executor's.
  var isCurrent: Bool { get }

  /// Runs `work` on this executor: soon, in the order of the calls, never inside this call. From any thread.
  func execute(_ work: @escaping @Sendable () -> Void)

  /// Runs `work` on this executor once `delay` has passed. From any thread.
  func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork
}

/// Work that waits for its time.
public protocol ScheduledWork: Sendable {
  /// Prevents the work from running if it has not begun, and releases what it holds: most deadlines are cancelled long
  /// before they are due. From any thread; harmless when repeated.
  func cancel()
}
