internal import CSQLite
internal import Storage

extension SQLiteConnection {
  /// Copies the whole database, page by page, as it is at this moment: one snapshot, whatever is committed meanwhile.
  /// - Parameters:
  ///   - destination: a connection to an empty file.
  ///   - pause: called after every so many pages.
  func copy(to destination: SQLiteConnection, pagesAtOnce: Int, pause: () throws -> Void) throws {
    // A read transaction of its own: the copy would start over with every commit of others otherwise.
    try run("BEGIN")
    try forEachRow("SELECT count(*) FROM sqlite_schema", []) { _ in false }
    guard let backup = sqlite3_backup_init(destination.handle, "main", handle, "main") else {
      throw SQLiteError.make(
        sqlite3_errcode(destination.handle), operation: "backup", connection: destination.handle)
    }
    var isOpen = true
    defer { if isOpen { sqlite3_backup_finish(backup) } }
    var result = SQLITE_OK
    while result == SQLITE_OK {
      result = sqlite3_backup_step(backup, Int32(clamping: pagesAtOnce))
      if result == SQLITE_OK { try pause() }
    }
    isOpen = false
    let finished = sqlite3_backup_finish(backup)
    guard result == SQLITE_DONE, finished == SQLITE_OK else {
      // The error may be of either side; the destination's handle is told of both.
      throw SQLiteError.make(
        result == SQLITE_DONE ? finished : result, operation: "backup", connection: destination.handle)
    }
    try run("ROLLBACK")
  }
}
