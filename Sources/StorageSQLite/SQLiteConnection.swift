internal import CSQLite
internal import Storage

/// One SQLite handle with its prepared statements. Confined to one thread at a time.
final class SQLiteConnection {
  /// How many statements stay prepared; the program has far fewer texts than this.
  static let preparedStatementLimit = 1024

  let handle: OpaquePointer
  // Each look at it is over before the next one begins. To have that checked took a quarter of its time.
  @exclusivity(unchecked) private var statements = StatementCache(limit: preparedStatementLimit)

  /// The first failure that says that the file is damaged or, as long as there is none, that the disk cannot be trusted.
  private(set) var damage: StorageError?

  /// Once per process, before the first connection. Fails if another part of the program has started SQLite already;
  /// then the accounting stays, which costs a little time.
  private static let isSetUp: Bool = octet_sqlite_stop_memory_accounting() == SQLITE_OK

  /// Opens the database file at `path`, which must exist, or an error says why not.
  /// - Parameter system: the name of the SQLite VFS to go through; nil for the operating system's.
  init(path: String, settings: [String], system: String? = nil) throws(StorageError) {
    _ = Self.isSetUp
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE
    let result = sqlite3_open_v2(path, &handle, flags, system)
    guard result == SQLITE_OK, let handle else {
      let error = SQLiteError.make(result, operation: "open", connection: handle)
      sqlite3_close(handle)
      throw error
    }
    self.handle = handle
    for setting in settings {
      try run(setting)
    }
  }

  deinit {
    statements.removeAll()
    // The compiler may let go of the statement that was run last only after this: the connection ends with it then.
    sqlite3_close_v2(handle)
  }

  /// Whether no transaction is open. SQLite ends a transaction by itself after some errors.
  var isAutocommit: Bool { sqlite3_get_autocommit(handle) != 0 }

  /// How many rows the last statement changed.
  var changes: Int { Int(sqlite3_changes64(handle)) }

  /// How many rows all statements so far have changed; those of failed statements do not count.
  var totalChanges: Int { Int(sqlite3_total_changes64(handle)) }

  /// How many pages were not in the cache since the last time.
  func takeCacheMisses() -> Int {
    var (misses, unused): (Int32, Int32) = (0, 0)
    let result = sqlite3_db_status(handle, SQLITE_DBSTATUS_CACHE_MISS, &misses, &unused, 1)
    precondition(result == SQLITE_OK, "SQLite has no such count")
    return Int(misses)
  }

  /// Runs a statement without arguments and results, through the cache.
  func run(_ sql: String) throws(StorageError) {
    do {
      try forEachRow(sql, []) { _ in true }
    } catch let error as StorageError {
      throw error
    } catch {
      preconditionFailure("a closure that throws nothing threw \(error)")
    }
  }

  /// Runs a statement and calls `row` for each row until it returns false.
  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
    do {
      try statement(sql).run(arguments, row: row)
    } catch let error as StorageError {
      note(error)
      throw error
    }
  }

  private func note(_ error: StorageError) {
    switch (error.code, damage?.code) {
    case (.ioFailure, nil), (.corrupt, nil), (.corrupt, .ioFailure): damage = error
    default: break
    }
  }

  /// How a checkpoint goes about it.
  enum Checkpoint {
    /// Copies as much as readers allow, without blocking anybody.
    case passive
    /// Waits for readers and holds up writers, copies all, and empties the log.
    case truncate
  }

  /// Copies the log into the database file.
  /// - Returns: pages in the log and pages of them that have been copied; nil if another checkpoint runs, or if those
  ///   that are to be waited for took too long.
  func checkpoint(_ way: Checkpoint = .passive) throws(StorageError) -> (logged: Int, copied: Int)? {
    var logged: Int32 = 0
    var copied: Int32 = 0
    let mode = way == .passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE
    let result = sqlite3_wal_checkpoint_v2(handle, nil, mode, &logged, &copied)
    if result & 0xff == SQLITE_BUSY { return nil }
    guard result == SQLITE_OK else {
      let error = SQLiteError.make(result, operation: "checkpoint", connection: handle)
      note(error)
      throw error
    }
    return (Int(logged), Int(copied))
  }

  /// Makes durable what checkpoints have copied into the file. SQLite does so only when one comes to the end of the log.
  func syncFile() throws(StorageError) {
    let (file, methods) = SyncedCopy.openFile(SQLITE_FCNTL_FILE_POINTER, of: handle)
    let result = methods.pointee.xSync(file, SQLITE_SYNC_NORMAL)
    guard result == SQLITE_OK else {
      let error = SQLiteError.make(result, operation: "sync", connection: nil)
      note(error)
      throw error
    }
  }

  /// Has SQLite store the size of the log, in pages, at `pages` after each commit of this connection. The memory must
  /// outlive the connection. It takes the place of SQLite's own automatic checkpoint.
  func reportLogSize(to pages: UnsafeMutablePointer<Int32>) {
    sqlite3_wal_hook(
      handle,
      { context, _, _, pages in
        // The context is the pointer given below.
        context!.assumingMemoryBound(to: Int32.self).pointee = pages
        return SQLITE_OK
      }, pages)
  }

  /// From now on what this connection writes to the log is gathered until it is synced.
  func gatherLogWrites() throws {
    var synchronous: Int64 = 0
    try forEachRow("PRAGMA synchronous", []) { row in
      synchronous = row.integer(0)
      return true
    }
    precondition(synchronous >= 2, "commits must sync the log before other connections see them")
    // SQLite opens the log when the database is first looked at.
    try run("SELECT count(*) FROM sqlite_schema")
    LogBuffer.attach(to: handle)
  }

  /// From now on what this connection copies from the log is synced in pieces.
  func syncCopies() { SyncedCopy.attach(to: handle) }

  /// From now on closing this connection leaves the log as it is, also when it is the last one. Otherwise SQLite copies
  /// the log into the file and deletes it.
  func keepLogOnClose() {
    let result = octet_sqlite_keep_log_on_close(handle)
    precondition(result == SQLITE_OK, "SQLite has no such setting")
  }

  private func statement(_ sql: String) throws(StorageError) -> SQLiteStatement {
    if let cached = statements.find(sql) {
      // The same text inside its own loop: a second statement, for this once.
      return cached.isRunning ? try SQLiteStatement(sql, connection: handle, isLasting: false) : cached
    }
    let statement = try SQLiteStatement(sql, connection: handle, isLasting: true)
    statements.insert(statement)
    return statement
  }
}
