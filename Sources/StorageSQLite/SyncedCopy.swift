internal import CSQLite

/// Has what the checkpointing thread copies reach the disk while it copies.
///
/// SQLite syncs the file when a checkpoint has copied the log to its end, and not before. Under load that is the writer's
/// round between two commits: the system then wrote all that the rounds before had left in its memory, most of a log of
/// 40 MiB, and every commit of that time waited. So the thread has each piece synced itself.
struct SyncedCopy: FileLayer {
  // What SQLite looks at comes first.
  let methods: sqlite3_io_methods
  let real: UnsafePointer<sqlite3_io_methods>
  /// Pages since the last sync.
  private var pages = 0

  /// Puts itself before the database file of a connection that only copies.
  static func attach(to connection: OpaquePointer) {
    let (file, real) = openFile(SQLITE_FCNTL_FILE_POINTER, of: connection)
    SyncedCopy(real).put(before: file)
  }

  private init(_ real: UnsafePointer<sqlite3_io_methods>) {
    self.real = real
    var methods = real.pointee
    methods.xClose = { SyncedCopy.close($0) }
    methods.xWrite = { SyncedCopy.write($0, $1, $2, at: $3) }
    methods.xSync = { SyncedCopy.sync($0, $1) }
    self.methods = methods
  }

  private static func write(
    _ file: File?, _ page: UnsafeRawPointer?, _ size: Int32, at offset: sqlite3_int64
  ) -> Int32 {
    let copy = of(file)
    let result = copy.pointee.real.pointee.xWrite(file, page, size, offset)
    guard result == SQLITE_OK else { return result }
    copy.pointee.pages += 1
    return copy.pointee.pages < SQLiteLimits.checkpointedPagesPerSync ? SQLITE_OK : sync(file, SQLITE_SYNC_NORMAL)
  }

  private static func sync(_ file: File?, _ flags: Int32) -> Int32 {
    let copy = of(file)
    copy.pointee.pages = 0
    return copy.pointee.real.pointee.xSync(file, flags)
  }
}
