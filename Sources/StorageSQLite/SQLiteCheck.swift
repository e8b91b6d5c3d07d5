internal import Storage

/// Looks at a database before anything is written to it.
enum SQLiteCheck {
  /// - Parameter quickly: also reads every page (not every index entry), as after a crash.
  /// - Throws: `StorageError` with code `.corrupt`, or `.cannotOpen` if durability cannot be had.
  static func verify(_ connection: SQLiteConnection, quickly: Bool) throws {
    // A file system without shared memory makes SQLite keep another mode, silently.
    try expect(connection, "PRAGMA journal_mode", "wal")
    try connection.forEachRow("PRAGMA synchronous", []) { row in
      // 2 is FULL: an acknowledged write is on disk.
      guard row.integer(0) == 2 else {
        throw StorageError(.cannotOpen, operation: "open", message: "synchronous is \(row.integer(0)), not FULL")
      }
      return false
    }
    if quickly { try examine(connection, "PRAGMA quick_check(1)") }
  }

  /// - Parameter pragma: one of SQLite's checks.
  /// - Throws: `StorageError` with code `.corrupt`, or what reading a damaged file leads to.
  static func examine(_ connection: SQLiteConnection, _ pragma: String) throws {
    try expect(connection, pragma, "ok")
  }

  private static func expect(_ connection: SQLiteConnection, _ pragma: String, _ expected: String) throws {
    try connection.forEachRow(pragma, []) { row in
      guard row.text(0) == expected else {
        throw StorageError(
          expected == "ok" ? .corrupt : .cannotOpen, operation: "open", message: "\(pragma): \(row.text(0))")
      }
      return false
    }
  }
}
