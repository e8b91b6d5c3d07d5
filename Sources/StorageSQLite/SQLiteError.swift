internal import CSQLite
internal import Glibc
internal import Storage

/// Builds the one error that all of SQLite's result codes become.
enum SQLiteError {
  /// - Parameter connection: where SQLite keeps its words about the last failure; nil for the general words.
  static func make(
    _ result: Int32, operation: String, connection: OpaquePointer?, sql: String? = nil
  ) -> StorageError {
    let extended = connection.map { sqlite3_extended_errcode($0) } ?? result
    let words = connection.flatMap { sqlite3_errmsg($0) } ?? sqlite3_errstr(result)
    let message = words.map { String(cString: $0) } ?? "no message"
    // The index of the log is a file, too. SQLite has no word of its own for one that does not find room.
    let isFull = extended == shortOfMemoryFile && connection.map { sqlite3_system_errno($0) } == ENOSPC
    return StorageError(
      isFull ? .diskFull : code(extended == SQLITE_OK ? result : extended), operation: operation,
      message: "\(message) (SQLite \(extended))", sql: sql)
  }

  /// SQLITE_IOERR_SHMSIZE, a macro that Swift does not import.
  private static let shortOfMemoryFile = SQLITE_IOERR | (19 << 8)

  /// - Parameter extended: an extended result code; its low byte is the primary one.
  static func code(_ extended: Int32) -> StorageError.Code {
    switch extended {
    case SQLITE_CONSTRAINT | (6 << 8), SQLITE_CONSTRAINT | (8 << 8), SQLITE_CONSTRAINT | (10 << 8):
      // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE and _ROWID: macros that Swift does not import.
      return .uniqueViolation
    case SQLITE_CONSTRAINT | (3 << 8):
      // SQLITE_CONSTRAINT_FOREIGNKEY
      return .foreignKeyViolation
    default: break
    }
    switch extended & 0xff {
    case SQLITE_CONSTRAINT, SQLITE_MISMATCH: return .checkViolation
    case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: return .busy
    case SQLITE_FULL: return .diskFull
    case SQLITE_IOERR: return .ioFailure
    case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt
    case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: return .cannotOpen
    case SQLITE_ERROR, SQLITE_MISUSE, SQLITE_RANGE, SQLITE_READONLY, SQLITE_SCHEMA: return .invalidStatement
    default: return .engine
    }
  }
}
