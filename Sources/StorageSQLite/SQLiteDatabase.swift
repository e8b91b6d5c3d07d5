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
  /// Writes whose requests are looked up first.
  private let cold = BlockingQueue<TransactionJob<SQLiteTransaction>>(limit: SQLiteLimits.waitingLookUps)
  private let cache = CacheWatch()
  private let checkpointer: Checkpointer
  private let gate = WriteGate()
  private let commitCount = Locked(0)
  private let files: SQLiteFiles
  private let path: String
  private let options: SQLiteOptions
  /// The writer's thread, which ends after all others, and those that bring writes to it.
  private let threads = Locked<(writing: OSThread, warming: [OSThread])?>(nil)
  private let removesFiles: Bool
  /// One at a time: SQLite refuses a second checkpoint at once, whatever the busy timeout.
  private let scrubbing = Locked(())
  /// How long a scrub tries to empty the log while others use it, before it reports `.busy`; how often at least, as the
  /// machine may stand still all the while; and how long it leaves the log to the checkpointing thread in between.
  private static let scrubPatience = Duration.seconds(15)
  private static let scrubAttempts = 50
  private static let scrubPauseMicroseconds: UInt32 = 20_000
  /// How long one try to empty the log waits for each lock. No commit begins meanwhile.
  private static let scrubBusyMilliseconds = 5

  /// Opens or creates a database and brings its schema up to date.
  /// - Parameters:
  ///   - path: of the file; missing directories are created. One process at a time may have it open.
  ///   - migrations: of the components on top; those of the storage layer come first by themselves.
  ///   - clock: for the record of when a migration was applied.
  ///   - onlyIfUsed: whether a database that no program has migrated is refused.
  /// - Throws: `StorageError`, e.g. `.inUse`, `.corrupt`, `.schemaMismatch`.
  public static func open(
    path: String, migrations: [Migration], clock: any WallClock, options: SQLiteOptions = SQLiteOptions(),
    onlyIfUsed: Bool = false
  ) async throws -> SQLiteDatabase {
    try await open(
      path: path, steps: StorageSchema.migrations + migrations, clock: clock, options: options, onlyIfUsed: onlyIfUsed)
  }

  /// The same with all steps that are to be applied, also those of the storage layer: so a test makes a database as an
  /// earlier version left it.
  package static func open(
    path: String, steps: [Migration], clock: any WallClock, options: SQLiteOptions = SQLiteOptions(),
    onlyIfUsed: Bool = false
  ) async throws -> SQLiteDatabase {
    let database = try await OSThread.run(name: "sqlite-open") {
      try SQLiteDatabase(path: path, options: options, removesFiles: false)
    }
    return try await migrated(database, Migrator(steps, clock: clock), onlyIfUsed: onlyIfUsed)
  }

  /// Opens a new database in a new directory for temporary files, which goes away with `close`. For tests and tools.
  public static func openTemporary(
    migrations: [Migration], clock: any WallClock, options: SQLiteOptions = SQLiteOptions()
  ) async throws -> SQLiteDatabase {
    let database = try await OSThread.run(name: "sqlite-open") {
      try SQLiteDatabase(path: SQLiteFiles.temporaryPath(), options: options, removesFiles: true)
    }
    return try await migrated(database, Migrator(StorageSchema.migrations + migrations, clock: clock))
  }

  private static func migrated(
    _ database: SQLiteDatabase, _ migrator: Migrator, onlyIfUsed: Bool = false
  ) async throws -> SQLiteDatabase {
    do {
      try await migrator.migrate(database, onlyIfUsed: onlyIfUsed)
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
    cold.close()
    writes.close()
    reads.close()
    checkpointer.stop()
  }

  /// Blocks: opens all connections and starts their threads.
  private func start(path: String, options: SQLiteOptions) throws {
    let writer = try SQLiteConnection(path: path, settings: options.writerSettings, system: options.system)
    try SQLiteCheck.verify(writer, quickly: files.wasLeftOpen && options.checksAfterCrash)
    try writer.gatherLogWrites()
    checkpointer.watch(writer)
    let acknowledger = Acknowledger()
    let committer = GroupCommitter(
      writer, checkpointer: checkpointer, gate: gate, cache: cache, acknowledger: acknowledger,
      runsBodiesTwice: options.runsBodiesTwice, commits: commitCount)
    func readers(_ count: Int, _ settings: [String]) throws -> [ReaderWorker] {
      try (0..<count).map { _ in
        ReaderWorker(
          try SQLiteConnection(path: path, settings: settings, system: options.system), readers: count, gate: gate)
      }
    }
    let workers = try readers(options.readers, options.readerSettings)
    let warmers = try readers(SQLiteLimits.warmers, options.copySettings)
    let copying = CheckpointWorker(
      try SQLiteConnection(path: path, settings: options.checkpointSettings, system: options.system), checkpointer)
    let (reads, writes, cold) = (reads, writes, cold)
    let warming = warmers.map { worker in OSThread(name: "sqlite-warm") { worker.run(cold) } }
    let others =
      workers.map { worker in OSThread(name: "sqlite-read") { worker.run(reads) } }
      + [OSThread(name: "sqlite-check") { copying.run() }, OSThread(name: "sqlite-done") { acknowledger.run() }]
    let writing = OSThread(name: "sqlite-write") {
      committer.run(writes)
      acknowledger.stop()
      // The writer is the last to close, and folds the log into the file: two that close at once keep each other from it.
      for other in others + warming { other.join() }
      committer.prepareToClose()
    }
    threads.withLock { $0 = (writing, warming) }
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

  /// A request with a random id is looked up by another thread first, if the writer's cache does not hold the rows: the
  /// page may have to come from the disk, and all who write would wait for that.
  @discardableResult
  public func write<Result: Sendable>(
    serving key: RequestKey, _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    guard !key.isTimeOrdered, isCold else { return try await write(body) }
    return try await writes.perform("write", warming: key, on: cold, body)
  }

  /// Whether the writer has lately missed pages in its cache. From any thread.
  var isCold: Bool { cache.misses }

  public var waiting: (reads: Int, writes: Int) { (reads.count, writes.count + cold.count) }

  /// How often a commit has made one or more transactions durable since the database was opened. From any thread.
  public var commits: Int { commitCount.withLock { $0 } }

  /// How often the write-ahead log has been copied to its end since the database was opened. From any thread.
  public var checkpoints: Int { checkpointer.finished }

  /// How often the log grew faster than it was copied, so that the writer copied the rest and held commits up. From any
  /// thread.
  public var outrunCheckpoints: Int { checkpointer.outrun }

  /// Why every write is refused: the disk failed or the file is damaged, and only opening the database anew can help.
  /// Nil while writes are taken. From any thread.
  public var writeRefusal: StorageError? { gate.refusal }

  public func schemaText() async throws -> String {
    try await read { try SQLiteSchema.text($0) }
  }

  /// Copies the whole log into the file and empties it: older copies of pages are in it, and the file has what the log
  /// has already overwritten. It waits for the readers of older snapshots; commits wait for no more than its last step.
  public func scrub() async throws {
    try await OSThread.run(name: "sqlite-scrub") { [self] in try scrubbing.withLock { _ in try emptyLog() } }
  }

  private func emptyLog() throws {
    let connection = try SQLiteConnection(
      path: path, settings: options.checkpointSettings + ["PRAGMA busy_timeout = \(Self.scrubBusyMilliseconds)"],
      system: options.system)
    connection.keepLogOnClose()
    connection.syncCopies()
    defer { gate.close(after: connection) }
    let deadline = ContinuousClock.now + Self.scrubPatience
    var attempts = 0
    while try !empty(connection) {
      attempts += 1
      guard attempts < Self.scrubAttempts || ContinuousClock.now < deadline else {
        throw StorageError(.busy, operation: "scrub", message: "others went on using the log")
      }
      usleep(Self.scrubPauseMicroseconds)
    }
  }

  /// Tries once. Nobody commits from when the log is to be emptied until it is, so it is copied before, as far as readers
  /// allow, and once more: the second time tells how much came in during the first, and about as much will be left.
  private func empty(_ connection: SQLiteConnection) throws -> Bool {
    if let refusal = gate.refusal { throw refusal }
    guard let round = try connection.checkpoint(), let last = try connection.checkpoint(),
      max(last.logged - round.copied, last.logged - last.copied) < SQLiteLimits.checkpointRemainder
    else { return false }
    try connection.syncFile()
    // On a disk that has become doubtful meanwhile the log has to stay.
    if let refusal = gate.refusal { throw refusal }
    return try connection.checkpoint(.truncate) != nil
  }

  public func close() async {
    let running = threads.withLock { threads in
      defer { threads = nil }
      return threads
    }
    guard let running else { return }
    cold.close()
    reads.close()
    checkpointer.stop()
    let (files, removesFiles, writes) = (files, removesFiles, writes)
    // Joining blocks; nothing in the closure can throw.
    try? await OSThread.run(name: "sqlite-close") {
      // What they have accepted is still to be written.
      for thread in running.warming { thread.join() }
      writes.close()
      running.writing.join()
      files.unlock()
      if removesFiles { files.remove() }
    }
  }
}
