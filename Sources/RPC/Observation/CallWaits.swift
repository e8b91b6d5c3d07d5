internal import Synchronization

/// Adds up what a call waits for below its handler, for the one who wants to know where the time went. Parts of a
/// program that let calls wait look for `current` and add to it; it is nil when nobody asks.
public final class CallWaits: Sendable {
  /// Of the call whose handler runs in this task.
  @TaskLocal public static var current: CallWaits?

  private let storage = Atomic<Int64>(0)

  public init() {}

  /// Nanoseconds that the call has waited for storage: reads and transactions, with their queues.
  public var storageNanoseconds: Int64 { storage.load(ordering: .relaxed) }

  /// Runs `body`, which is a wait for storage, and adds the time that it takes to the current call's.
  public static func storage<Result>(_ body: () async throws -> sending Result) async rethrows -> sending Result {
    guard let current else { return try await body() }
    let start = ContinuousClock.now
    defer {
      let (seconds, attoseconds) = (ContinuousClock.now - start).components
      current.storage.wrappingAdd(seconds * 1_000_000_000 + attoseconds / 1_000_000_000, ordering: .relaxed)
    }
    return try await body()
  }
}
