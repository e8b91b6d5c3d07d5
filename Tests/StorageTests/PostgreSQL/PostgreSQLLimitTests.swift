import Base
import Foundation
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL

/// The limits of the PostgreSQL engine alone; those that both engines have are in `EngineLimitConformance`.
@Suite(.timeLimit(.minutes(60))) struct PostgreSQLLimitTests {
  /// Draws the longest wait every time, less a nanosecond.
  private struct LongestWaits: RandomSource {
    func next() -> UInt64 { .max }
  }

  /// Time that passes only while a session waits.
  private final class Waits: Sendable {
    private let state: Locked<(waits: [Duration], now: ContinuousClock.Instant)> = Locked(([], .now))
    private let onWait: @Sendable (Int) -> Void

    init(onWait: @escaping @Sendable (Int) -> Void = { _ in }) {
      self.onWait = onWait
    }

    /// As long as they were drawn.
    var all: [Duration] { state.withLock { $0.waits.map { $0 + .nanoseconds(1) } } }

    var time: SessionTime {
      SessionTime(
        now: { self.state.withLock { $0.now } },
        sleep: { duration in
          let number = self.state.withLock { state in
            state.waits.append(duration)
            state.now += duration
            return state.waits.count
          }
          self.onWait(number)
        })
    }
  }

  /// So many waits, each twice as long as the one before but never longer than the longest.
  private func doubling(_ first: Duration, upTo longest: Duration, _ count: Int) -> [Duration] {
    (0..<count).map { min(longest, first * (1 << $0)) }
  }

  /// Runs one transaction after the other on a session of its own.
  private func withWriter(
    _ waits: Waits, _ body: (BlockingQueue<TransactionJob<PostgreSQLTransaction>>) async throws -> Void
  ) async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    let queue = BlockingQueue<TransactionJob<PostgreSQLTransaction>>(limit: 1)
    let thread = OSThread(name: "limit-write") {
      let session = PostgreSQLSession(url, .ofTests, LongestWaits(), time: waits.time)
      PostgreSQLWriter(session, CommitOrder(), WriterTurns()).run(queue)
    }
    do {
      try await body(queue)
    } catch {
      Issue.record(error)
    }
    queue.close()
    try await OSThread.run(name: "limit-join") { thread.join() }
  }

  @Test func `a body that loses races is run so often, with waits that double up to the longest`() async throws {
    let waits = Waits()
    let runs = Locked(0)
    try await withWriter(waits) { queue in
      let error = await storageError {
        try await queue.perform("write") { _ in
          runs.withLock { $0 += 1 }
          throw RetryTransaction()
        }
      }
      #expect(error?.code == .conflict)
    }
    #expect(runs.withLock { $0 } == PostgreSQLLimits.attempts)
    let expected = doubling(
      PostgreSQLLimits.firstRetryDelay, upTo: PostgreSQLLimits.longestRetryDelay, PostgreSQLLimits.attempts - 1)
    #expect(waits.all == expected)
    // Both limits are met.
    #expect(expected.first == PostgreSQLLimits.firstRetryDelay && expected.last == PostgreSQLLimits.longestRetryDelay)
  }

  /// A folder that does not exist yet, in which the server's socket may appear.
  private func missingFolder() -> String {
    FileManager.default.temporaryDirectory.appending(path: "octet-\(UUID().uuidString.prefix(8))").path
  }

  private func url(_ folder: String, _ server: PostgreSQLServer) -> String {
    "postgres://octet@/postgres?host=\(folder.replacing("/", with: "%2F"))&port=\(server.port)"
  }

  @Test func `a server that is not there is tried again with waits that double up to the longest`() async throws {
    let server = try await PostgreSQLServer.common()
    let folder = missingFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let count = 9
    let waits = Waits { number in
      // Then the server is there.
      if number == count {
        try? FileManager.default.createSymbolicLink(atPath: folder, withDestinationPath: server.directory)
      }
    }
    let (time, place) = (waits.time, url(folder, server))
    let isBroken = try await OSThread.run(name: "limit-connect") {
      try PostgreSQLSession(place, .ofTests, LongestWaits(), time: time).connected().isBroken
    }
    #expect(!isBroken)
    let expected = doubling(
      PostgreSQLLimits.firstReconnectDelay, upTo: PostgreSQLLimits.longestReconnectDelay, count)
    #expect(waits.all == expected)
    #expect(expected.last == PostgreSQLLimits.longestReconnectDelay)
  }

  @Test func `a server that stays away is given up after the time that the options say`() async throws {
    let server = try await PostgreSQLServer.common()
    let waits = Waits()
    var options = PostgreSQLOptions.ofTests
    options.patience = .seconds(10)
    let (time, place) = (waits.time, url(missingFolder(), server))
    let error = await storageError {
      try await OSThread.run(name: "limit-connect") { [options] in
        _ = try PostgreSQLSession(place, options, LongestWaits(), time: time).connected()
      }
    }
    #expect(error?.code == .unavailable)
    let waited = waits.all.reduce(.zero, +)
    #expect(waited <= options.patience)
    #expect(waited + PostgreSQLLimits.longestReconnectDelay > options.patience)
  }

  @Test func `as many statements stay prepared as the limit says; then the session forgets all`() async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    let counts = try await OSThread.run(name: "limit-prepare") {
      let connection = try PostgreSQLConnection(url, .ofTests, isPooled: false, keepsStatements: true)
      connection.begin(isReadOnly: true)
      func value(_ sql: String) throws -> Int {
        var value = 0
        _ = try connection.run(sql, []) { row in
          value = row[0]
          return true
        }
        return value
      }
      /// By the server's own list, which this statement is on.
      func prepared() throws -> Int { try value("SELECT count(*) FROM pg_prepared_statements") }
      for number in 1..<PostgreSQLLimits.preparedStatements { #expect(try value("SELECT \(number)") == number) }
      var counts = [try prepared()]
      // All of these are known, so nothing changes.
      for number in 1..<PostgreSQLLimits.preparedStatements { #expect(try value("SELECT \(number)") == number) }
      counts.append(try prepared())
      #expect(try value("SELECT 0") == 0)
      counts.append(try prepared())
      return counts
    }
    #expect(counts == [PostgreSQLLimits.preparedStatements, PostgreSQLLimits.preparedStatements, 2])
  }

  @Test func `statements of many arguments stay prepared too, one for their types, but not with NULLs`() async throws {
    let url = try await PostgreSQLServer.common().makeSchema()
    let counts = try await OSThread.run(name: "limit-prepare") {
      let connection = try PostgreSQLConnection(url, .ofTests, isPooled: false, keepsStatements: true)
      connection.begin(isReadOnly: true)
      func sum(of arguments: [SQLValue]) throws -> Double {
        let terms = (1...arguments.count).map { "COALESCE(CAST($\($0) AS DOUBLE PRECISION), 0)" }
        var sum = 0.0
        _ = try connection.run("SELECT \(terms.joined(separator: " + "))", arguments) { row in
          sum = row[0]
          return true
        }
        return sum
      }
      func prepared() throws -> Int {
        var count = 0
        _ = try connection.run("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%COALESCE%'", []) {
          count = $0[0]
          return true
        }
        // This statement is on the list as well.
        return count - 1
      }
      var counts: [Int] = []
      let many = [SQLValue](repeating: .integer(2), count: 100)
      for arguments in [many, many, many.dropLast() + [.double(0.5)], many, many.dropLast() + [.null]] {
        let expected = arguments.reduce(0.0) { sum, argument in
          switch argument {
          case .integer(let value): sum + Double(value)
          case .double(let value): sum + value
          default: sum
          }
        }
        #expect(try sum(of: arguments) == expected)
        counts.append(try prepared())
      }
      return counts
    }
    #expect(counts == [1, 1, 2, 2, 2])
  }

  @Test func `a batch waits for a lock for a moment, then in turns, and then each of its transactions by itself`()
    async throws
  {
    let url = try await PostgreSQLServer.common().makeSchema()
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (1, 1)
    func open() async throws -> PostgreSQLDatabase {
      try await PostgreSQLDatabase.open(
        url: url, migrations: [Fixture.accounts], clock: ManualClock(), options: options)
    }
    let (database, other) = (try await open(), try await open())
    try await other.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)") }

    let (holdsRow, isBusy) = (ParkingSpot(), ParkingSpot())
    let (mayCommit, mayEnd) = (BlockingQueue<Void>(limit: 1), BlockingQueue<Void>(limit: 1))
    async let holding: Void = other.write { writer in
      try writer.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
      holdsRow.unpark()
      _ = mayCommit.pop(atMost: 1)
    }
    // Each behind its task, which is waited for when this ends: whatever fails here lets it end.
    defer { mayCommit.close() }
    try await holdsRow.park()
    // Two wait behind a third, so they make a batch.
    async let busy: Void = database.write { _ in
      isBusy.unpark()
      _ = mayEnd.pop(atMost: 1)
    }
    defer { mayEnd.close() }
    try await isBusy.park()
    let (timeouts, neighbourRuns) = (Locked<[String?]>([]), Locked(0))
    async let first: Int = database.write { writer in
      let timeout = try writer.first("SELECT current_setting('lock_timeout')") { $0[0] as String }
      let run = timeouts.withLock { timeouts in
        timeouts.append(timeout)
        return timeouts.count
      }
      // Alone by now: what holds the row ends while this one waits for it, or just before.
      if run == 5 { mayCommit.close() }
      return try writer.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
    }
    while database.waiting.writes < 1 { await Task.yield() }
    async let second: Int = database.write { writer in
      neighbourRuns.withLock { $0 += 1 }
      return try writer.execute("INSERT INTO accounts (id, name, balance) VALUES (2, 'bob', 0)")
    }
    while database.waiting.writes < 2 { await Task.yield() }
    mayEnd.close()
    #expect(try await [first, second] == [1, 1])
    try await busy
    try await holding
    // The last of its turns is its own.
    let milliseconds = [
      PostgreSQLLimits.batchLockTimeout, PostgreSQLLimits.turnLockTimeout, PostgreSQLLimits.nodesTurnLockTimeout,
      PostgreSQLLimits.nodesTurnLockTimeout,
    ].map(\.inMilliseconds)
    #expect(timeouts.withLock { $0 } == milliseconds.map { "\($0)ms" } + ["10min"])
    // No batch came to the second one.
    #expect(neighbourRuns.withLock { $0 } == 1)
    let balance: Int? = try await database.read { try $0.first("SELECT balance FROM accounts WHERE id = 1") { $0[0] } }
    #expect(balance == 2)
    await database.close()
    await other.close()
  }
}
