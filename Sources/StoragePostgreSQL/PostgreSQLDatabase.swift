public import Base
public import Storage

/// The PostgreSQL engine: several processes may serve one database.
///
/// Transactions run at READ COMMITTED: what a body has checked holds because its write is conditional or because it has
/// locked the row. Reads see one snapshot. Bodies run on the engine's threads, each with a connection; results come back
/// on the caller's executor. A server that goes away and comes back, or whose primary moves, is waited for.
public final class PostgreSQLDatabase: Database {
  private typealias Queue = BlockingQueue<TransactionJob<PostgreSQLTransaction>>

  private let writes = Queue(limit: PostgreSQLLimits.waitingWrites)
  private let reads = Queue(limit: PostgreSQLLimits.waitingReads)
  private let threads = Locked<[OSThread]>([])

  /// Connects to a database and brings its schema up to date.
  /// - Parameters:
  ///   - url: `postgres://user@host:port/database?sslmode=…`, or whatever else libpq takes for one.
  ///   - migrations: of the components on top; those of the storage layer come first by themselves.
  ///   - clock: for the record of when a migration was applied.
  ///   - random: spreads the waits between attempts.
  ///   - onlyIfUsed: whether a database that no program has migrated is refused, and left as it is.
  /// - Throws: `StorageError`, e.g. `.unavailable`, `.cannotOpen`, `.schemaMismatch`.
  public static func open(
    url: String, migrations: [Migration], clock: any WallClock, random: any RandomSource = SystemRandomSource(),
    options: PostgreSQLOptions = PostgreSQLOptions(), onlyIfUsed: Bool = false
  ) async throws -> PostgreSQLDatabase {
    try await open(
      url: url, steps: StorageSchema.migrations + migrations, clock: clock, random: random, options: options,
      onlyIfUsed: onlyIfUsed)
  }

  /// The same with all steps that are to be applied, also those of the storage layer: so a test makes a database as an
  /// earlier version left it.
  package static func open(
    url: String, steps: [Migration], clock: any WallClock, random: any RandomSource = SystemRandomSource(),
    options: PostgreSQLOptions = PostgreSQLOptions(), onlyIfUsed: Bool = false
  ) async throws -> PostgreSQLDatabase {
    let database = try await OSThread.run(name: "postgres-open") {
      try PostgreSQLParameters.check(url)
      // One attempt by itself, so that what is wrong is said at once.
      var impatient = options
      impatient.patience = .zero
      do throws(StorageError) {
        _ = try PostgreSQLSession(url, impatient, random).connected()
      } catch {
        throw PostgreSQLDiagnosis.explained(error, url, options)
      }
      return PostgreSQLDatabase(url, options, random)
    }
    do {
      try await Migrator(steps, clock: clock).migrate(database, onlyIfUsed: onlyIfUsed)
    } catch {
      await database.close()
      throw error
    }
    return database
  }

  private init(_ url: String, _ options: PostgreSQLOptions, _ random: any RandomSource) {
    let (writes, reads) = (writes, reads)
    let (order, turns) = (CommitOrder(overtakenCommit: options.overtakenCommit), WriterTurns())
    let writers = (0..<options.writers).map { _ in
      let writer = PostgreSQLWriter(PostgreSQLSession(url, options, random), order, turns)
      return OSThread(name: "postgres-write") { writer.run(writes) }
    }
    let readers = (0..<options.readers).map { _ in
      let reader = PostgreSQLReader(PostgreSQLSession(url, options, random))
      return OSThread(name: "postgres-read") { reader.run(reads) }
    }
    threads.withLock { $0 = writers + readers }
  }

  deinit {
    // Without `close` the threads end as well, once what was accepted is done.
    writes.close()
    reads.close()
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

  /// Whatever happens to a connection, the next one may write.
  public var writeRefusal: StorageError? { nil }

  public func schemaText() async throws -> String {
    try await read { try PostgreSQLSchema.text($0) }
  }

  /// Nothing: the server's vacuum takes dead rows out of reach, and their bytes stay in its files until their pages are
  /// written again. Rewriting a table takes it away from everybody, which is for its operator to decide.
  public func scrub() async throws {}

  public func close() async {
    writes.close()
    reads.close()
    let running = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    // Joining blocks; nothing in the closure can throw.
    try? await OSThread.run(name: "postgres-close") {
      for thread in running { thread.join() }
    }
  }
}
