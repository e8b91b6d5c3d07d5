internal import CSQLite

/// Gathers what SQLite writes to the log of the writer's connection, and gives it to the system in few large writes.
///
/// SQLite writes each page of the log in two pieces, its header and its content, and each is a call of the system.
/// Where the pages of a batch are many, these calls cost more than all that the storage layer does. So the pieces are
/// gathered until the log is synced. Nobody can miss them until then: a commit ends with a sync before it makes its pages
/// known to other connections (`synchronous = FULL`), and whatever else this connection wants of the file, a look at
/// pages that did not fit its cache for one, has them written first.
///
/// A write that fails is reported by the sync, or by a read that wanted it. For SQLite a sync is as good: the transaction
/// fails either way, and pages that were not made known do not count. A read that fails need not end the transaction, so
/// what was to be written is kept, and the sync tries again. What a sync fails to write is dropped: already the reads of the
/// rollback would have it written, and the end of a commit that was refused would count after a crash.
struct LogBuffer: FileLayer {
  // What SQLite looks at comes first.
  let methods: sqlite3_io_methods
  let real: UnsafePointer<sqlite3_io_methods>
  private let bytes = UnsafeMutableRawPointer.allocate(byteCount: SQLiteLimits.logBuffer, alignment: 16)
  private var count = 0
  /// Where in the file the bytes belong.
  private var offset: sqlite3_int64 = 0

  /// Puts a buffer before the log of a connection, which must have it open and sync it at each commit.
  static func attach(to connection: OpaquePointer) {
    let (file, real) = openFile(SQLITE_FCNTL_JOURNAL_POINTER, of: connection)
    // Where a torn write may damage what lies beside it, SQLite fills the sector up, and writes more after the sync.
    guard real.pointee.xDeviceCharacteristics(file) & SQLITE_IOCAP_POWERSAFE_OVERWRITE != 0 else { return }
    LogBuffer(methods: methods(instead: real.pointee), real: real).put(before: file)
  }

  private init(methods: sqlite3_io_methods, real: UnsafePointer<sqlite3_io_methods>) {
    self.methods = methods
    self.real = real
  }

  /// Methods that are not about the content of the file stay what they are.
  private static func methods(instead real: sqlite3_io_methods) -> sqlite3_io_methods {
    var methods = real
    methods.xClose = { file in
      // Only pages of a transaction that was given up can be left.
      LogBuffer.of(file).pointee.bytes.deallocate()
      return LogBuffer.close(file)
    }
    methods.xRead = { file, bytes, count, offset in
      LogBuffer.afterWriting(file) { $0.pointee.xRead(file, bytes, count, offset) }
    }
    methods.xWrite = { LogBuffer.write($0, $1, $2, at: $3) }
    methods.xTruncate = { file, size in LogBuffer.afterWriting(file) { $0.pointee.xTruncate(file, size) } }
    methods.xSync = { LogBuffer.sync($0, $1) }
    methods.xFileSize = { file, size in LogBuffer.afterWriting(file) { $0.pointee.xFileSize(file, size) } }
    return methods
  }

  private static func write(
    _ file: File?, _ source: UnsafeRawPointer?, _ size: Int32, at offset: sqlite3_int64
  ) -> Int32 {
    let buffer = of(file)
    let follows = offset == buffer.pointee.offset + Int64(buffer.pointee.count)
    if !follows || buffer.pointee.count + Int(size) > SQLiteLimits.logBuffer {
      let result = flush(file)
      guard result == SQLITE_OK else { return result }
    }
    guard Int(size) <= SQLiteLimits.logBuffer, let source else {
      return buffer.pointee.real.pointee.xWrite(file, source, size, offset)
    }
    if buffer.pointee.count == 0 { buffer.pointee.offset = offset }
    (buffer.pointee.bytes + buffer.pointee.count).copyMemory(from: source, byteCount: Int(size))
    buffer.pointee.count += Int(size)
    return SQLITE_OK
  }

  /// Gives the system what has been gathered. What fails to be written stays.
  private static func flush(_ file: File?) -> Int32 {
    let buffer = of(file)
    let count = buffer.pointee.count
    guard count > 0 else { return SQLITE_OK }
    let result = buffer.pointee.real.pointee.xWrite(file, buffer.pointee.bytes, Int32(count), buffer.pointee.offset)
    if result == SQLITE_OK { buffer.pointee.count = 0 }
    return result
  }

  private static func afterWriting(_ file: File?, _ then: (UnsafePointer<sqlite3_io_methods>) -> Int32) -> Int32 {
    let result = flush(file)
    return result == SQLITE_OK ? then(of(file).pointee.real) : result
  }

  private static func sync(_ file: File?, _ flags: Int32) -> Int32 {
    let result = flush(file)
    let buffer = of(file)
    buffer.pointee.count = 0
    return result == SQLITE_OK ? buffer.pointee.real.pointee.xSync(file, flags) : result
  }
}
