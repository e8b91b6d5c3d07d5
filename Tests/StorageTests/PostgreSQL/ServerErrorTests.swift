import Base
import ChildProcess
import Glibc
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL

/// What the engine makes of the errors that a server reports: by the table, and provoked at a real server.
@Suite(.timeLimit(.minutes(60)))
struct ServerErrorTests {
  private typealias Meaning = (kind: PostgreSQLFailure.Kind, code: StorageError.Code)

  /// By SQLSTATE, as appendix A of PostgreSQL's documentation has them; a state of a class stands for the others of it.
  private static let meanings: [(states: [String], meaning: Meaning)] = [
    (["23505"], (.final, .uniqueViolation)),
    (["23503"], (.final, .foreignKeyViolation)),
    (["23502", "23514", "23P01", "22001", "22003", "22012", "22P02"], (.final, .checkViolation)),
    (["22021"], (.final, .invalidText)),
    (["40001", "40P01"], (.lostRace, .conflict)),
    (["55P03"], (.lock, .busy)),
    (["57014"], (.final, .busy)),
    (["53100"], (.final, .diskFull)),
    (["58030"], (.final, .ioFailure)),
    (["XX001", "XX002"], (.final, .corrupt)),
    (["57P01", "57P02", "57P03", "57P05", "25006", "25P03", "08000", "08006", ""], (.connection, .unavailable)),
    (["53300"], (.final, .unavailable)),
    (["26000", "42P05"], (.foreignSession, .invalidStatement)),
    (["08P01", "0A000", "25001", "42501", "42601", "42P01", "42703"], (.final, .invalidStatement)),
    (["28000", "28P01", "3D000"], (.final, .cannotOpen)),
    (["25P02", "53200", "54001", "XX000", "P0001"], (.final, .engine)),
  ]

  @Test func `every class of SQLSTATE has its meaning`() {
    for (states, meaning) in Self.meanings {
      for state in states {
        let failure = PostgreSQLFailure(sqlState: state, message: "words", operation: "step", sql: nil)
        #expect(failure.kind == meaning.kind && failure.error.code == meaning.code, "\(state): \(failure)")
      }
    }
  }

  /// A database with an account 1 and 2.
  private func withDatabase(
    url: String? = nil, _ change: (inout PostgreSQLOptions) -> Void = { _ in },
    _ body: (PostgreSQLDatabase) async throws -> Void
  ) async throws {
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (2, 1)
    change(&options)
    let place: String
    if let url { place = url } else { place = try await PostgreSQLServer.common().makeSchema() }
    // Without the limits that the test is about.
    let founder = try await PostgreSQLDatabase.open(
      url: place, migrations: [Fixture.accounts], clock: ManualClock(), options: .ofTests)
    try await founder.write { writer in
      try writer.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0), (2, 'bob', 0)")
    }
    await founder.close()
    let database = try await PostgreSQLDatabase.open(
      url: place, migrations: [Fixture.accounts], clock: ManualClock(), options: options)
    try await closing(database) { try await body(database) }
  }

  private static let raise = "UPDATE accounts SET balance = balance + 1 WHERE id = $1"

  private func balances(_ database: any Database) async throws -> [Int] {
    try await database.read { try $0.rows("SELECT balance FROM accounts ORDER BY id") { $0[0] } }
  }

  /// Runs a write whose first run does something to itself, and expects that a further one succeeds.
  private func expectAnotherRun(
    _ database: PostgreSQLDatabase, after harm: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let runs = Locked(0)
    try await database.write { writer in
      let run = runs.withLock { runs in
        runs += 1
        return runs
      }
      if run == 1 { try writer.execute(harm) }
      try writer.execute(Self.raise, 1)
    }
    #expect(runs.withLock { $0 } == 2, sourceLocation: sourceLocation)
    #expect(try await balances(database) == [1, 0], sourceLocation: sourceLocation)
  }

  // MARK: Lost races

  @Test func `a deadlock is resolved, and no caller hears of it`() async throws {
    try await withDatabase { database in
      let (runs, held) = (Locked(0), [BlockingQueue<Void>(limit: 4), BlockingQueue<Void>(limit: 4)])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (me, order) in [[1, 2], [2, 1]].enumerated() {
          let isFirstRun = Locked(true)
          group.addTask {
            // The other one waits for this one, whatever fails here.
            defer { held[me].close() }
            try await database.write { writer in
              runs.withLock { $0 += 1 }
              try writer.execute("SET LOCAL deadlock_timeout = 10")
              try writer.execute(Self.raise, order[0])
              let meets = isFirstRun.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
              }
              if meets {
                // Both hold their first row before either asks for the other's.
                try held[me].push(())
                _ = held[1 - me].pop(atMost: 1)
              }
              try writer.execute(Self.raise, order[1])
            }
          }
        }
        try await group.waitForAll()
      }
      // Who waits for longer than a lock may take gives up, too: how often is a matter of chance.
      #expect(runs.withLock { $0 } >= 3)
      #expect(try await balances(database) == [2, 2])
    }
  }

  @Test func `a serialization failure is run again`() async throws {
    try await withDatabase { database in
      let runs = Locked(0)
      let (hasRead, hasChanged) = (ParkingSpot(), BlockingQueue<Void>(limit: 1))
      async let late: Void = database.write { writer in
        let run = runs.withLock { runs in
          runs += 1
          return runs
        }
        try writer.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _ = try writer.exists("SELECT 1 FROM accounts WHERE id = 1")
        if run == 1 {
          hasRead.unpark()
          _ = hasChanged.pop(atMost: 1)
        }
        try writer.execute(Self.raise, 1)
      }
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { hasChanged.close() }
      try await hasRead.park()
      try await database.write { try $0.execute(Self.raise, 1) }
      try hasChanged.push(())
      try await late
      #expect(runs.withLock { $0 } == 2)
      #expect(try await balances(database) == [2, 0])
    }
  }

  // MARK: Sessions that end

  @Test func `a transaction whose session is terminated is run again in another`() async throws {
    try await withDatabase { database in
      try await expectAnotherRun(database, after: "SELECT pg_terminate_backend(pg_backend_pid())")
    }
  }

  @Test func `a server that takes no writes is left for another`() async throws {
    try await withDatabase { database in
      try await expectAnotherRun(database, after: "SET TRANSACTION READ ONLY")
    }
  }

  @Test func `a session that has lost its prepared statements does without`() async throws {
    try await withDatabase { database in
      let runs = Locked(0)
      try await database.write { writer in
        let run = runs.withLock { runs in
          runs += 1
          return runs
        }
        try writer.execute(Self.raise, 1)
        if run == 1 { try writer.execute("DEALLOCATE ALL") }
        try writer.execute(Self.raise, 1)
      }
      #expect(runs.withLock { $0 } == 2)
      #expect(try await balances(database) == [2, 0])
    }
  }

  @Test func `a statement that was prepared before its table changed is run in another session`() async throws {
    try await withDatabase {
      $0.writers = 1
    } _: { database in
      // Statements of an octetd name their columns; of one with * the server does not change what comes back.
      let all = "SELECT * FROM accounts WHERE id = 2"
      for column in ["first", "second"] {
        let before = [
          try await database.read { try $0.first(all) { $0[1] as String } },
          try await database.write { try $0.first(all) { $0[1] as String } },
        ]
        #expect(before == ["bob", "bob"])
        try await database.write { try $0.execute("ALTER TABLE accounts ADD COLUMN \(column) BIGINT") }
      }
      #expect(try await database.read { try $0.first(all) { $0[1] as String } } == "bob")
    }
  }

  @Test func `a transaction that slept until the server gave it up is run again`() async throws {
    try await withDatabase { database in
      let runs = Locked(0)
      let (session, isGone) = (Locked(0), BlockingQueue<Void>(limit: 1))
      let hasBegun = ParkingSpot()
      async let sleeper: Void = database.write { writer in
        let run = runs.withLock { runs in
          runs += 1
          return runs
        }
        let id: Int? = try writer.first("SELECT pg_backend_pid()") { $0[0] }
        if run == 1 {
          session.withLock { $0 = id ?? 0 }
          try writer.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
          hasBegun.unpark()
          _ = isGone.pop(atMost: 1)
        }
        try writer.execute(Self.raise, 1)
      }
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { isGone.close() }
      try await hasBegun.park()
      let id = session.withLock { $0 }
      while try await database.read({ try $0.exists("SELECT 1 FROM pg_stat_activity WHERE pid = $1", id) }) {
        await Task.yield()
      }
      try isGone.push(())
      try await sleeper
      #expect(runs.withLock { $0 } >= 2)
      #expect(try await balances(database) == [1, 0])
    }
  }

  // MARK: Limits

  @Test func `a statement that takes too long, or is cancelled, is busy`() async throws {
    try await withDatabase { database in
      let cases = [
        (before: "SELECT set_config('statement_timeout', '100', true)", statement: "SELECT pg_sleep(60)"),
        (before: "SELECT 1", statement: "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)"),
      ]
      for (before, statement) in cases {
        let error = await storageError {
          try await database.write { writer in
            _ = try writer.exists(before)
            try writer.execute(statement)
          }
        }
        #expect(error?.code == .busy && error?.message.contains("57014") == true, "\(String(describing: error))")
        let read = await storageError {
          try await database.read { try $0.exists(before) && $0.exists(statement) }
        }
        #expect(read?.code == .busy)
      }
    }
  }

  @Test func `a lock that does not come is waited for four times, at last for as long as it may take, and is busy`()
    async throws
  {
    let before = [
      PostgreSQLLimits.batchLockTimeout, PostgreSQLLimits.turnLockTimeout, PostgreSQLLimits.nodesTurnLockTimeout,
    ]
    let limit = PostgreSQLLimits.nodesTurnLockTimeout * 2
    try await withDatabase {
      $0.lockTimeout = limit
    } _: { database in
      let (isHeld, mayEnd, runs) = (ParkingSpot(), BlockingQueue<Void>(limit: 1), Locked(0))
      async let holder: Void = database.write { writer in
        try writer.execute(Self.raise, 1)
        isHeld.unpark()
        _ = mayEnd.pop(atMost: 1)
      }
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { mayEnd.close() }
      try await isHeld.park()
      let began = ContinuousClock.now
      let error = await storageError {
        try await database.write { writer in
          runs.withLock { $0 += 1 }
          try writer.execute(Self.raise, 1)
        }
      }
      #expect(error?.code == .busy && error?.message.contains("55P03") == true, "\(String(describing: error))")
      #expect(runs.withLock { $0 } == 4)
      #expect(.now - began >= before.reduce(limit, +))
      try mayEnd.push(())
      try await holder
      #expect(try await balances(database) == [1, 0])
    }
  }

  @Test func `a server without a place for another session is unavailable`() async throws {
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    var options = PostgreSQLOptions.ofTests
    options.patience = .zero
    let error = await storageError {
      try await PostgreSQLDatabase.open(
        url: server.url("postgres", user: "crowded"), migrations: [], clock: ManualClock(), options: options)
    }
    #expect(error?.code == .unavailable && error?.isTransient == true)
    #expect(error?.message.contains("too many connections") == true, "\(String(describing: error))")
  }

  // MARK: The disk

  @Test func `a full disk is said, and writing goes on once there is room`() async throws {
    try await withDatabase {
      $0.writers = 1
    } _: { database in
      let session: Int? = try await database.write { writer in
        try writer.execute("CREATE TABLE filling (filling TEXT NOT NULL)")
        try writer.execute("ALTER TABLE filling ALTER COLUMN filling SET STORAGE PLAIN")
        return try writer.first("SELECT pg_backend_pid()") { $0[0] }
      }
      let pages = 8300
      let fill = "INSERT INTO filling (filling) SELECT repeat('x', 7000) FROM generate_series(1, \(pages))"
      // Not the disk is full but this session's files may not grow any more, in the middle of a page: the server is
      // told the same. A segment of its log still fits, and so do the catalogues that the other tests have filled: a
      // session that needs memory writes their pages too.
      try Self.limitFiles(of: session, to: "\(64 << 20 | 4096)")
      let error = await storageError { try await database.write { try $0.execute(fill) } }
      #expect(error?.code == .diskFull, "\(String(describing: error))")
      try Self.limitFiles(of: session, to: "unlimited")
      #expect(try await database.write { try $0.execute(fill) } == pages)
    }
  }

  private static func limitFiles(of session: Int?, to limit: String) throws {
    // As the server's user, who may do so to his own processes.
    let user = getuid() == 0 ? ["--reuid=postgres", "--regid=postgres", "--init-groups"] : []
    let result = try ChildProcess.run("setpriv", user + ["prlimit", "--pid", "\(session ?? 0)", "--fsize=\(limit):"])
    #expect(result.status == 0, "\(result.errors)")
  }

  /// When the server began; nil while it is away.
  private func startTime(_ database: any Database) async throws -> String? {
    do {
      return try await database.read { try $0.first("SELECT CAST(pg_postmaster_start_time() AS TEXT)") { $0[0] } }
    } catch let error as StorageError where error.isTransient {
      return nil
    }
  }

  @Test func `a damaged table is corrupt`() async throws {
    let server = try await PostgreSQLServer()
    try await withDatabase(url: try await server.makeDatabase()) { database in
      let file: String? = try await database.write { try $0.first("SELECT pg_relation_filepath('accounts')") { $0[0] } }
      try await server.run("CHECKPOINT")
      let path = server.directory + "/data/" + (file ?? "")
      let damage = try ChildProcess.run(
        "dd", ["if=/dev/urandom", "of=\(path)", "bs=8192", "count=1", "conv=notrunc", "status=none"])
      #expect(damage.status == 0, "\(damage.errors)")
      // What is in its memory goes with it.
      let before = try await startTime(database)
      try server.kill()
      while true {
        if let time = try await startTime(database), time != before { break }
      }
      let error = await storageError { try await balances(database) }
      #expect(error?.code == .corrupt, "\(String(describing: error))")
    }
    await server.stop()
  }
}
