internal import Base

/// Whether the writer finds in its page cache what its transactions look for.
final class CacheWatch: Sendable {
  /// Of so many transactions one may miss a page: more are worth a look by another thread first.
  private static let transactionsPerMiss = 8

  private let state = Locked(false)

  /// Whether the transactions of the last batch missed pages. From any thread.
  var misses: Bool { state.withLock { $0 } }

  /// Called by the writer's thread after each batch, before its callers are told: what they ask for next goes by it.
  func committed(_ transactions: Int, on writer: SQLiteConnection) {
    let misses = writer.takeCacheMisses() * Self.transactionsPerMiss >= transactions
    state.withLock { $0 = misses }
  }
}
