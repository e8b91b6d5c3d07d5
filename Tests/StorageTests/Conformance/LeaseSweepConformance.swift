import Base
import PostgreSQLServer
import Testing

@testable import Storage

@Suite struct LeaseSweepConformance {
  private static let day: Duration = .seconds(86_400)

  private func leases(_ database: any Database, _ clock: ManualClock, seed: UInt64) -> Leases {
    Leases(database: database, clock: clock, random: SeededRandomSource(seed: seed))
  }

  private func names(_ database: any Database) async throws -> [String] {
    try await database.read { try $0.rows("SELECT name FROM octet_leases ORDER BY name") { $0[0] } }
  }

  private func sweepAll(_ sweep: LeaseSweep, _ database: any Database) async throws {
    while try await sweep.step(database) {}
  }

  @Test(arguments: Engine.all) func `what ended a day ago goes, what is held or has just ended stays`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let ann = leases(database, clock, seed: 1)
      let sweep = LeaseSweep(clock: clock)
      try await sweepAll(sweep, database)
      for name in ["lapsed", "long"] { _ = try await ann.acquire(name, for: .seconds(10)) }
      let released = try #require(try await ann.acquire("released", for: Self.day * 9))
      try await ann.release(released)
      let kept = try #require(try await ann.acquire("kept", for: Self.day * 9))
      _ = try await ann.acquire("long", for: Self.day * 2)

      clock.advance(by: Self.day - .seconds(1))
      try await sweepAll(sweep, database)
      #expect(try await names(database) == ["kept", "lapsed", "long", "released"], "not yet a day")
      clock.advance(by: .seconds(3600))
      try await sweepAll(sweep, database)
      #expect(try await names(database) == ["kept", "long"])
      try await ann.write(under: kept) { _ in }
      clock.advance(by: Self.day * 3)
      try await sweepAll(sweep, database)
      #expect(try await names(database) == ["kept"], "the next walk comes by itself")
    }
  }

  @Test(arguments: Engine.all) func `the next fence is higher than any before, and the late holder has lost`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let (ann, bob) = (leases(database, clock, seed: 1), leases(database, clock, seed: 2))
      var last: Lease?
      // Many holders at one instant: the fence runs ahead of the clock.
      for _ in 0..<10 {
        for holder in [ann, bob] {
          let lease = try #require(try await holder.acquire("room", for: .seconds(10)))
          try await holder.release(lease)
          last = lease
        }
      }
      let before = try #require(last)
      #expect(before.fence > clock.now().nanoseconds)
      let sweep = LeaseSweep(clock: clock)
      clock.advance(by: LeaseSweep.settling)
      try await sweepAll(sweep, database)
      #expect(try await names(database) == ["room"], "its fence is not yet as old as that")
      clock.advance(by: .seconds(3600))
      try await sweepAll(sweep, database)
      #expect(try await names(database).isEmpty)
      await #expect(throws: LeaseLost.self) { try await bob.renew(before, for: .seconds(10)) }
      await #expect(throws: LeaseLost.self) { try await bob.write(under: before) { _ in } }
      try await bob.release(before)
      let next = try #require(try await ann.acquire("room", for: .seconds(10)))
      #expect(next.fence > before.fence)
      await #expect(throws: LeaseLost.self) { try await bob.write(under: before) { _ in } }
    }
  }

  @Test(arguments: Engine.all) func `one that is taken between the look and the removal stays`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let ann = leases(database, clock, seed: 1)
      for name in ["a", "b", "c"] { _ = try await ann.acquire(name, for: .seconds(10)) }
      let sweep = LeaseSweep(clock: clock)
      clock.advance(by: Self.day * 2)
      let taking = InterruptedDatabase(database) { _ = try await ann.acquire("b", for: .seconds(10)) }
      while try await sweep.step(taking) {}
      #expect(try await names(database) == ["b"])
    }
  }

  @Test(arguments: Engine.all) func `many pages are walked over, those that are held among them`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      try await insert(LeaseSweep.page * 2 + 7, database, from: clock.now()) { $0 % 100 == 0 ? Self.day * 9 : .zero }
      let sweep = LeaseSweep(clock: clock)
      clock.advance(by: Self.day + .seconds(1))
      #expect(try await sweep.step(database), "a page at a time")
      #expect(try await names(database).count >= LeaseSweep.page)
      try await sweepAll(sweep, database)
      #expect(try await names(database).count == 6)
    }
  }

  @Test(arguments: Engine.all) func `a round of an ownership does not look at the leases of others`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      try await insert(1000, database, from: clock.now()) { _ in Self.day }
      let rows = Locked(0)
      let counting = CountingDatabase(database, rows)
      let nodes = (1...2).map { node in
        Ownership(
          database: counting, clock: clock, random: SeededRandomSource(seed: UInt64(node)), kind: "test/city",
          node: node)
      }
      let things = ["a", "b", "c", "d"]
      for _ in 0..<4 {
        for node in nodes { try await node.round(things) }
        clock.advance(by: .seconds(2))
      }
      #expect(nodes.map { node in things.filter { node.owned($0) != nil }.count } == [2, 2])
      rows.withLock { $0 = 0 }
      try await nodes[0].round(things)
      // Of the other node: its own name and two of the four things.
      #expect((3...12).contains(rows.withLock { $0 }))
    }
  }

  /// Leases of many things, `room/0000001` and so on.
  private func insert(
    _ count: Int, _ database: any Database, from now: Instant, lasting: @escaping @Sendable (Int) -> Duration
  ) async throws {
    try await database.write { writer in
      for number in 0..<count {
        try writer.execute(
          "INSERT INTO octet_leases (name, holder, fence, expires_at) VALUES ($1, 'other', $2, $3)",
          "room/\(1_000_000 + number)", now, now + lasting(number))
      }
    }
  }
}

/// Does something between the first read and the write that follows it.
private struct InterruptedDatabase: PassingDatabase {
  let database: any Database
  let between: @Sendable () async throws -> Void

  init(_ database: any Database, between: @escaping @Sendable () async throws -> Void) {
    (self.database, self.between) = (database, between)
  }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    try await between()
    return try await database.write(body)
  }
}

/// Counts the rows that reads get.
private struct CountingDatabase: PassingDatabase {
  let database: any Database
  let rows: Locked<Int>

  init(_ database: any Database, _ rows: Locked<Int>) { (self.database, self.rows) = (database, rows) }

  private struct CountingReader: Reader {
    let reader: any Reader
    let rows: Locked<Int>

    var dialect: SQLDialect { reader.dialect }

    func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
      try reader.forEachRow(sql, arguments) { found in
        rows.withLock { $0 += 1 }
        return try row(found)
      }
    }
  }

  func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    try await database.read { [rows] in try body(CountingReader(reader: $0, rows: rows)) }
  }
}
