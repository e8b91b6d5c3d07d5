import Base
import PostgreSQLServer
import Storage

/// Refuses to write, for a while or for good, or hides that it has.
final class FailingDatabase: PassingDatabase {
  enum Fault {
    case refuses
    case isDamaged
    case commitsWithoutAnswer
  }

  let database: any Database
  let fault = Locked<Fault?>(nil)
  /// How many writes go well before the fault shows.
  let spared = Locked(0)
  /// How many writes were refused.
  let refused = Locked(0)

  init(_ database: any Database) { self.database = database }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    let isSpared = spared.withLock { spared in
      defer { spared = max(0, spared - 1) }
      return spared > 0
    }
    switch isSpared ? nil : fault.withLock({ $0 }) {
    case nil: return try await database.write(body)
    case .refuses:
      refused.withLock { $0 += 1 }
      throw StorageError(.unavailable, operation: "begin", message: "refused")
    case .isDamaged: throw StorageError(.corrupt, operation: "begin", message: "damaged")
    case .commitsWithoutAnswer:
      _ = try await database.write(body)
      throw StorageError(.outcomeUnknown, operation: "commit", message: "no answer")
    }
  }
}
