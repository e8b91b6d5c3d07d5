internal import Base
internal import Storage

/// Writes a database anew that nobody uses.
public enum SQLiteRewrite {
  /// Writes every row of the database at `path` into fresh pages, so that nothing is left of what was deleted. While it is
  /// in use, deleted rows are overwritten; but a page that was split may keep copies of rows that moved to the other one.
  /// Takes time in proportion to the database, and free space for three times its size.
  /// - Returns: the size of the database in bytes.
  /// - Throws: `StorageError`: `.inUse`, `.cannotOpen`, `.corrupt`, `.diskFull`, `.ioFailure`. It is then what it was.
  @discardableResult
  public static func run(_ path: String) async throws -> Int {
    try await OSThread.run(name: "sqlite-rewrite") {
      guard SQLiteFiles.size(path) > 0 else {
        throw StorageError(.cannotOpen, operation: "rewrite", message: "there is no database \(path)")
      }
      let use = try SQLiteFiles.lockForUse(path)
      defer { use.unlock() }
      let reading = try SQLiteFiles.lockForReading(path, .exclusive)
      defer { reading.unlock() }
      try write(path)
      return SQLiteFiles.size(path)
    }
  }

  private static func write(_ path: String) throws {
    // The last connection to close, this one, folds the log into the file and removes it.
    let connection = try SQLiteConnection(path: path, settings: SQLiteOptions().writerSettings)
    try SQLiteCheck.verify(connection, quickly: true)
    try connection.run("VACUUM")
    // Closing would hide a failure, and leave the old pages in the file.
    guard try connection.checkpoint(.truncate) != nil else {
      throw StorageError(.inUse, operation: "rewrite", message: "somebody else uses the log")
    }
  }
}
