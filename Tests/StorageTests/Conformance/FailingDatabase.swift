import Base
import PostgreSQLServer
import Storage

/// Refuses to write, or hides that it has.
final class FailingDatabase: PassingDatabase {
  enum Fault {
    case refuses
    case commitsWithoutAnswer
  }

  let database: any Database
  let fault = Locked<Fault?>(nil)
  /// How many writes were refused.
  let refused = Locked(0)

  init(_ database: any Database) { self.database = database }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    switch fault.withLock({ $0 }) {
    case nil: return try await database.write(body)
    case .refuses:
      refused.withLock { $0 += 1 }
      throw StorageError(.unavailable, operation: "begin", message: "refused")
    case .commitsWithoutAnswer:
      _ = try await database.write(body)
      throw StorageError(.outcomeUnknown, operation: "commit", message: "no answer")
    }
  }
}
