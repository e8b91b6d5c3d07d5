import Base
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// The way to the server breaks at random points; the server is killed with SIGKILL. OCTET_CONNECTION_FAULT_ROUNDS and
/// OCTET_SERVER_CRASH_ROUNDS set how often (`make storm`).
@Suite(.timeLimit(.minutes(240))) struct ConnectionFaultTests {
  private static let callers = 16
  private static let kills = Rounds.count("OCTET_SERVER_CRASH_ROUNDS", otherwise: 3)
  private static let writes = 40
  private static let spoiledRounds = Rounds.count("OCTET_CONNECTION_FAULT_ROUNDS", otherwise: 1)
  private static let spoiledWrites = 60

  private static var options: PostgreSQLOptions {
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (4, 4)
    return options
  }

  @Test func `connections that are cut, held up or swallow everything lose nothing and double nothing`() async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE DATABASE faults")
    let proxy = try FaultProxy(target: server.port, random: SeededRandomSource(seed: seed))
    defer { proxy.stop() }
    // Makes the tables, which may take longer than what comes here.
    let founder = try await PostgreSQLDatabase.open(
      url: server.url("faults"), migrations: Load.migrations, clock: SystemClock(), options: .ofTests)
    await founder.close()
    var options = Self.options
    // How long an answer that was swallowed is waited for.
    options.statementTimeout = .seconds(2)
    options.connectionTimeout = .seconds(2)
    options.overtakenCommit = .seconds(2)
    let url = server.url("faults", port: proxy.port)
    let database = try await insist {
      try await PostgreSQLDatabase.open(
        url: url, migrations: Load.migrations, clock: SystemClock(), options: options)
    }
    let load = Load(database, seed: seed)
    load.start()
    for round in 1...Self.spoiledRounds {
      proxy.spoil(after: 200_000)
      let first = (round - 1) * Self.spoiledWrites
      try await load.run(callers: Self.callers, numbers: first..<first + Self.spoiledWrites)
      #expect(proxy.spoiled >= 8 * round, "\(proxy.spoiled) spoiled, seed \(seed)")
      // Each round begins with connections that were opened in peace.
      proxy.spoil(after: nil)
    }
    try await load.check(callers: Self.callers, writes: Self.spoiledRounds * Self.spoiledWrites)
    await database.close()
  }

  @Test func `kill -9 of the server loses nothing and doubles nothing`() async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    // With fsync, as in earnest; without it the system's cache would keep what was written, too.
    let server = try await PostgreSQLServer(settings: ["fsync=on"])
    let database = try await PostgreSQLDatabase.open(
      url: try await server.makeDatabase(), migrations: Load.migrations, clock: SystemClock(), options: Self.options)
    let load = Load(database, seed: seed)
    load.start()
    for round in 0..<Self.kills {
      let first = round * Self.writes
      let isOver = Locked(false)
      async let writing: Void = {
        defer { isOver.withLock { $0 = true } }
        try await load.run(callers: Self.callers, numbers: first..<first + Self.writes)
      }()
      // Somewhere in the middle of the round.
      let mark = Self.callers * first + Int(random.below(UInt64(Self.callers * Self.writes * 3 / 4))) + 1
      while try await count(database) < mark, !isOver.withLock({ $0 }) { await Task.yield() }
      try server.kill()
      try await writing
    }
    try await load.check(callers: Self.callers, writes: Self.kills * Self.writes)
    await database.close()
    await server.stop()
  }

  private func count(_ database: any Database) async throws -> Int {
    do {
      return try await database.read { try $0.first("SELECT count(*) FROM load_notes") { $0[0] } ?? 0 }
    } catch let error as StorageError where error.isTransient {
      return 0
    }
  }
}
