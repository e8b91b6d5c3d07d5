internal import Base
internal import Glibc
internal import Storage

/// Copies of a whole database: made while it is in use, and put back.
///
/// A copy is one file without a log. It is written under another name, synced, looked through and only then given
/// its name, so what has the name is whole.
public enum SQLiteBackup {
  /// Copies the database at `path`, from any process, while a server uses it. Commits go on; the log cannot be emptied
  /// meanwhile, so it grows by what is written while the copy is made.
  ///
  /// Everything that was acknowledged before the call is in the copy.
  /// - Parameters:
  ///   - file: where to; missing directories are created.
  ///   - replaces: whether a file that is there is replaced.
  /// - Returns: the size of the copy in bytes.
  /// - Throws: `StorageError`: `.alreadyExists`, `.inUse` (it is being restored, or another copy to the same file is
  ///   being made), `.cannotOpen`, `.corrupt`, `.diskFull`, `.ioFailure`.
  @discardableResult
  public static func backUp(_ path: String, to file: String, replaces: Bool = false) async throws -> Int {
    try await OSThread.run(name: "sqlite-backup") {
      guard replaces || access(file, F_OK) != 0 else { throw exists(file) }
      guard access(file + "-wal", F_OK) != 0 else {
        throw StorageError(.inUse, operation: "backup", message: "\(file) is a database that is in use")
      }
      guard access(path, F_OK) == 0 else {
        throw StorageError(.cannotOpen, operation: "backup", message: "there is no database \(path)")
      }
      let reading = try SQLiteFiles.lockForReading(path, .shared)
      defer { reading.unlock() }
      return try copy(path, to: file)
    }
  }

  /// Puts a copy in the place of the database at `path`. The copy is looked through first; until the last step,
  /// which cannot be interrupted, the present database stays what it is. The copy begins another `DatabaseHistory`.
  /// - Parameter replaces: whether a database that is there is replaced.
  /// - Returns: the size of the database in bytes.
  /// - Throws: `StorageError`: `.alreadyExists`, `.inUse`, `.cannotOpen`, `.corrupt`, `.schemaMismatch` (no database
  ///   of ours), `.diskFull`, `.ioFailure`.
  @discardableResult
  public static func restore(from file: String, to path: String, replaces: Bool = false) async throws -> Int {
    try await OSThread.run(name: "sqlite-restore") {
      guard access(file, R_OK) == 0 else { throw SQLiteFiles.error(.cannotOpen, "open", file) }
      try SQLiteFiles.createDirectory(SQLiteFiles.parent(of: path))
      let use = try SQLiteFiles.lockForUse(path)
      defer { use.unlock() }
      let reading = try SQLiteFiles.lockForReading(path, .exclusive)
      defer { reading.unlock() }
      guard replaces || SQLiteFiles.size(path) == 0 else { throw exists(path) }
      return try copy(file, to: path, change: beginHistory) { try foldLog(path) }
    }
  }

  private static func exists(_ path: String) -> StorageError {
    StorageError(.alreadyExists, operation: "copy", message: "\(path) exists")
  }

  /// Copies a database to a file that appears whole or not at all.
  /// - Parameters:
  ///   - change: what to do with the copy before it is looked through.
  ///   - prepare: what to do just before the file gets its name.
  private static func copy(
    _ source: String, to path: String, change: (SQLiteConnection) throws -> Void = { _ in },
    prepare: () throws -> Void = {}
  ) throws -> Int {
    try SQLiteFiles.createDirectory(SQLiteFiles.parent(of: path))
    let part = path + ".part"
    // What an earlier copy may have left goes away; one that is being made is locked.
    let lock = try FileLock(part, .exclusive, subject: path)
    defer { lock.unlock() }
    do {
      guard truncate(part, 0) == 0 else { throw SQLiteFiles.error(.cannotOpen, "truncate", part) }
      try fill(part, from: source, sync: { try lock.sync(part) }, change: change)
      try verify(part)
      try lock.sync(part)
      try prepare()
      guard rename(part, path) == 0 else { throw SQLiteFiles.error(.ioFailure, "rename", path) }
    } catch {
      unlink(part)
      throw error
    }
    try SQLiteFiles.syncDirectory(SQLiteFiles.parent(of: path))
    return SQLiteFiles.size(path)
  }

  private static func fill(
    _ part: String, from source: String, sync: () throws -> Void, change: (SQLiteConnection) throws -> Void
  ) throws {
    let from = try SQLiteConnection(path: source, settings: SQLiteOptions().copySettings)
    // What a crash has left is the mark that the next start is to look for damage. A server that is stopped during the
    // copy leaves its log too, and the next start looks in vain.
    defer { if SQLiteFiles.size(source + "-wal") > 0 { from.keepLogOnClose() } }
    // A copy that is cut short is thrown away, so nothing has to be undone in it.
    let to = try SQLiteConnection(
      path: part, settings: ["PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"])
    // Written out bit by bit: commits of others would wait for one great sync.
    try from.copy(to: to, pagesAtOnce: SQLiteLimits.copiedPagesPerSync, pause: sync)
    // The copy has taken over that its source has a log. A file that is carried about must have none.
    try to.run("PRAGMA journal_mode = DELETE")
    // Again without a journal, which a copy that is cut short would leave beside it.
    try to.run("PRAGMA journal_mode = OFF")
    try change(to)
  }

  /// What happens after a restore is not what happened after the copy was made.
  private static func beginHistory(_ connection: SQLiteConnection) throws {
    let renewal = DatabaseHistory.renewal(random: SystemRandomSource())
    if try has(renewal.table, connection) { try connection.forEachRow(renewal.sql, renewal.arguments) { _ in true } }
  }

  private static func has(_ table: String, _ connection: SQLiteConnection) throws -> Bool {
    var isThere = false
    try connection.forEachRow("SELECT 1 FROM sqlite_schema WHERE name = $1", [.text(table)]) { _ in
      isThere = true
      return false
    }
    return isThere
  }

  private static func verify(_ part: String) throws {
    let connection = try SQLiteConnection(path: part, settings: ["PRAGMA query_only = ON"])
    try SQLiteCheck.examine(connection, "PRAGMA integrity_check(1)")
    guard try has("octet_migrations", connection) else {
      throw StorageError(.schemaMismatch, operation: "copy", message: "no database of this program")
    }
  }

  /// Empties the log of a database that is going to be replaced: SQLite would apply it to its successor. Until the
  /// rename, which may never come, the present database is what it was, so its log goes only when all of it is in the
  /// file.
  private static func foldLog(_ path: String) throws {
    let logs = ["-wal", "-journal"].map { path + $0 }
    if access(path, F_OK) == 0, logs.contains(where: { access($0, F_OK) == 0 }) {
      do {
        let connection = try SQLiteConnection(path: path, settings: ["PRAGMA synchronous = FULL"])
        // A crash just when the file was made may have left a journal, which the first look takes back.
        try connection.run("SELECT count(*) FROM sqlite_schema")
        guard try connection.checkpoint(.truncate) != nil else {
          throw StorageError(.inUse, operation: "restore", message: "\(path) is in use by another process")
        }
      } catch let error as StorageError where error.code == .corrupt {
        // So damaged that its log has no use without it.
      }
    }
    for file in logs + [path + "-shm"] { unlink(file) }
    // After a loss of power, a log that came back would meet the successor.
    try SQLiteFiles.syncDirectory(SQLiteFiles.parent(of: path))
  }
}
