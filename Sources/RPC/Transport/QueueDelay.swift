internal import Base

/// How long work waits for an executor that runs in batches, as an event loop does: what became ready during one batch
/// waits for the next.
///
/// It tells a burst from overload the way CoDel does (Nichols and Jacobson, "Controlling Queue Delay", 2012): a burst
/// makes some requests wait, a standing queue makes all of them wait. So the measure is the least wait within an
/// interval. Confined to the executor.
public final class QueueDelay: @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement; nor that no access is inside another, as its methods call
  // nothing but the clock.

  /// Whether anybody wants to know: an executor need not measure otherwise.
  @safe @exclusivity(unchecked) public private(set) var isWanted = false
  /// Reads the executor's clock, in nanoseconds.
  private let clock: @Sendable () -> Int64
  @safe @exclusivity(unchecked) private var batchStart: Int64 = 0
  @safe @exclusivity(unchecked) private var batchWait: Int64 = 0
  private var leastWait = Int64.max
  private var batches = 0
  /// nil before the first batch.
  private var intervalEnd: Int64?
  @safe @exclusivity(unchecked) private var standing: Int64 = 0
  @safe @exclusivity(unchecked) private var excessEnd = Int64.min

  /// - Parameter clock: a monotonic clock in nanoseconds.
  public init(clock: @escaping @Sendable () -> Int64) {
    self.clock = clock
  }

  /// A batch begins.
  /// - Parameters:
  ///   - now: by the clock.
  ///   - wait: the most that anything in the batch can have waited: how long the batch before took, or 0 if the
  ///     executor had nothing to do in between.
  public func batchBegan(at now: Int64, after wait: Int64) {
    batchStart = now
    batchWait = wait
    // The first interval begins here like all others, and has still to become whole: what is measured first may be in the
    // midst of a burst.
    guard let intervalEnd else { return beginInterval(at: now) }
    leastWait = min(leastWait, wait)
    batches += 1
    // One batch alone says nothing: it may be a single long piece of work.
    guard now >= intervalEnd, batches > 1 else { return }
    standing = leastWait
    beginInterval(at: now)
  }

  private func beginInterval(at now: Int64) {
    leastWait = .max
    batches = 0
    intervalEnd = now + Self.interval
  }

  /// Asks the executor to measure from now on.
  public func want() {
    isWanted = true
  }

  /// The least that anything had to wait within the last whole interval.
  public var standingDelay: Duration { .nanoseconds(standing) }

  /// How long a request that is looked at now has waited at most, if there is a standing queue above `target` or was
  /// one within the last interval; nil if all is well, which costs two comparisons.
  func excess(over target: Int64) -> Int64? {
    guard standing > target || batchStart < excessEnd else { return nil }
    let now = clock()
    let wait = batchWait + now - batchStart
    // Refusing shortens the queue; that alone does not mean that the load is gone.
    if wait > target { excessEnd = now + Self.interval }
    return wait
  }

  private static let interval = RPCLimits.queueDelayInterval.inNanoseconds
}
