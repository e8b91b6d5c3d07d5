import Base
import Storage

/// Removes what is good for nothing any more.
enum OldRows {
  /// Rows that one transaction removes.
  private static let removedAtOnce = 256

  /// Removes some rows of a table whose time has come.
  /// - Returns: whether there may be more.
  static func remove(
    _ table: String, _ key: String, _ time: String, through latest: Instant, _ database: any Database
  ) async throws -> Bool {
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM \(table) WHERE \(time) <= $1 LIMIT 1", latest)
    }
    guard isDue else { return false }
    return try await database.write { writer in
      // What was renewed since it was chosen stays.
      try writer.execute(
        """
        DELETE FROM \(table) WHERE \(time) <= $1 AND \(key) IN (
          SELECT \(key) FROM \(table) WHERE \(time) <= $1 ORDER BY \(time) LIMIT $2)
        """, latest, removedAtOnce) > 0
    }
  }
}
