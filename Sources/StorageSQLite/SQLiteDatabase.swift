public import Base
internal import Glibc
public import Storage

/// The SQLite engine: one file, one writing thread with group commit, several reading threads.
///
/// An acknowledged write is on disk (`PRAGMA synchronous = FULL`). Bodies run on the engine's threads, results come
/// back on the caller's executor.
public final class SQLiteDatabase: Database {
  private let writes = BlockingQueue<TransactionJob<SQLiteTransaction>>(limit: SQLiteLimits.waitingWrites)
  private let reads = BlockingQueue<TransactionJob<SQLiteTransaction>>(limit: SQLiteLimits.waitingReads)
  private let checkpointer: Checkpointer
  private let gate = WriteGate()
  private let files: SQLiteFiles
  private let path: String
  private let options: SQLiteOptions
  /// The writer's thread, which ends after all others.
  private let thread = Locked<OSThread?>(nil)
  private let removesFiles: Bool
  /// One at a time: SQLite refuses a second checkpoint at once, whatever the busy timeout.
  private let scrubbing = Locked(())
  /// How long a scrub tries to empty the log, and how long it leaves it to the checkpointing thread in between.
  private static let scrubPatience = Duration.seconds(15)
  private static let scrubPauseMicroseconds: UInt32 = 10_000

  /// Opens or creates a database and brings its schema up to date.
  /// - Parameters:
  ///   - path: of the file; missing directories are created. One process at a time may have it open.
  ///   - migrations: of the components on top; those of the storage layer come first by themselves.
  ///   - clock: for the record of when a migration was applied.
  /// - Throws: `StorageError`, e.g. `.inUse`, `.corrupt`, `.schemaMismatch`.
  public static func open(
    path: String, migrations: [Migration], clock: any WallClock, options: SQLiteOptions = SQLiteOptions()
  ) async throws -> SQLiteDatabase {
    let database = try await OSThread.run(name: "sqlite-open") {
      try SQLiteDatabase(path: path, options: options, removesFiles: false)
    }
    return try await migrated(database, migrations, clock)
  }

  /// Opens a new database in a new directory for temporary files, which goes away with `close`. For tests and tools.
  public static func openTemporary(
    migrations: [Migration], clock: any WallClock, options: SQLiteOptions = SQLiteOptions()
  ) async throws -> SQLiteDatabase {
    let database = try await OSThread.run(name: "sqlite-open") {
      try SQLiteDatabase(path: SQLiteFiles.temporaryPath(), options: options, removesFiles: true)
    }
    return try await migrated(database, migrations, clock)
  }

  private static func migrated(
    _ database: SQLiteDatabase, _ migrations: [Migration], _ clock: any WallClock
  ) async throws -> SQLiteDatabase {
    do {
      try await Migrator(StorageSchema.migrations + migrations, clock: clock).migrate(database)
    } catch {
      await database.close()
      throw error
    }
    return database
  }

  private init(path: String, options: SQLiteOptions, removesFiles: Bool) throws {
    self.removesFiles = removesFiles
    self.path = path
    self.options = options
    checkpointer = Checkpointer(startingPages: options.checkpointPages, gate: gate)
    files = try SQLiteFiles(path: path)
    do {
      try start(path: path, options: options)
    } catch {
      files.unlock()
      throw error
    }
  }

  deinit {
    // Without `close` the threads end as well, but the file stays locked until the process ends.
    writes.close()
    reads.close()
    checkpointer.stop()
  }

  /// Blocks: opens all connections and starts their threads.
  private func start(path: String, options: SQLiteOptions) throws {
    let writer = try SQLiteConnection(path: path, settings: options.writerSettings, system: options.system)
    try SQLiteCheck.verify(writer, quickly: files.wasLeftOpen && options.checksAfterCrash)
    checkpointer.watch(writer)
    let committer = GroupCommitter(
      writer, checkpointer: checkpointer, gate: gate, runsBodiesTwice: options.runsBodiesTwice)
    let workers = try (0..<options.readers).map { _ in
      ReaderWorker(
        try SQLiteConnection(path: path, settings: options.readerSettings, system: options.system),
        readers: options.readers)
    }
    let copying = CheckpointWorker(
      try SQLiteConnection(path: path, settings: options.checkpointSettings, system: options.system), checkpointer)
    let (reads, writes) = (reads, writes)
    let others =
      workers.map { worker in OSThread(name: "sqlite-read") { worker.run(reads) } }
      + [OSThread(name: "sqlite-check") { copying.run() }]
    let writing = OSThread(name: "sqlite-write") {
      committer.run(writes)
      // The writer is the last to close, and folds the log into the file: two that close at once keep each other from it.
      for other in others { other.join() }
      committer.prepareToClose()
    }
    thread.withLock { $0 = writing }
  }

  public func read<Result: Sendable>(
    _ body: @escaping @Sendable (any Reader) throws -> Result
  ) async throws -> Result {
    try await reads.perform("read", body)
  }

  @discardableResult
  public func write<Result: Sendable>(
    _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    try await writes.perform("write", body)
  }

  public var waiting: (reads: Int, writes: Int) { (reads.count, writes.count) }

  /// How often the write-ahead log has been copied to its end since the database was opened. From any thread.
  public var checkpoints: Int { checkpointer.finished }

  /// Why every write is refused: the disk failed or the file is damaged, and only opening the database anew can help.
  /// Nil while writes are taken. From any thread.
  public var writeRefusal: StorageError? { gate.refusal }

  public func schemaText() async throws -> String {
    try await read { try SQLiteSchema.text($0) }
  }

  /// Copies the whole log into the file and empties it: older copies of pages are in it, and the file has what the log
  /// has already overwritten. Commits wait meanwhile, and it waits for the readers of older snapshots.
  public func scrub() async throws {
    try await OSThread.run(name: "sqlite-scrub") { [self] in try scrubbing.withLock { _ in try emptyLog() } }
  }

  private func emptyLog() throws {
    if let refusal = gate.refusal { throw refusal }
    let connection = try SQLiteConnection(path: path, settings: options.checkpointSettings, system: options.system)
    connection.keepLogOnClose()
    defer { gate.close(after: connection) }
    let deadline = ContinuousClock.now + Self.scrubPatience
    while try connection.checkpoint(.truncate) == nil {
      guard ContinuousClock.now < deadline else {
        throw StorageError(.busy, operation: "scrub", message: "others went on using the log")
      }
      usleep(Self.scrubPauseMicroseconds)
    }
  }

  public func close() async {
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    guard let running else { return }
    writes.close()
    reads.close()
    checkpointer.stop()
    let (files, removesFiles) = (files, removesFiles)
    // Joining blocks; nothing in the closure can throw.
    try? await OSThread.run(name: "sqlite-close") {
      running.join()
      files.unlock()
      if removesFiles { files.remove() }
    }
  }
}
