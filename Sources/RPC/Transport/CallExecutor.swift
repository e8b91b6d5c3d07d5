internal import Synchronization

/// The one thread that a connection, its streams and their handlers live on.
///
/// A transport's event loop implements it. Handlers run as tasks that prefer this executor, so there is no hop
/// between socket and handler.
public protocol CallExecutor: TaskExecutor {
  /// Whether the calling thread is this executor's.
  var isCurrent: Bool { get }

  /// Tells the executors of the process apart: `ExecutorNumber.next()`, taken once. Whoever keeps something for each
  /// executor, such as counters that only its thread changes, finds it by this number.
  var number: Int { get }

  /// How long work waits here, for executors that know it.
  var queueDelay: QueueDelay? { get }

  /// Who may decompress a message, for executors whose peers are not trusted; nil lets everybody at once.
  var inflating: InflateTurns? { get }

  /// Runs `work` on this executor: soon, in the order of the calls, never inside this call. From any thread.
  func execute(_ work: @escaping @Sendable () -> Void)

  /// Runs `work` on this executor once `delay` has passed. From any thread.
  func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> any ScheduledWork
}

extension CallExecutor {
  public var queueDelay: QueueDelay? { nil }
  public var inflating: InflateTurns? { nil }
}

/// Work that waits for its time.
public protocol ScheduledWork: Sendable {
  /// Prevents the work from running if it has not begun, and releases what it holds: most deadlines are cancelled long
  /// before they are due. From any thread; harmless when repeated.
  func cancel()
}

/// Gives executors their numbers: 0, 1, 2 … in the order in which they are made.
public enum ExecutorNumber {
  private static let issued = Atomic(0)

  /// A number that no other executor of the process has.
  public static func next() -> Int { issued.add(1, ordering: .relaxed).oldValue }
}
