import Base
import Testing

@testable import Storage

@Suite struct RequestRetentionConformance {
  private struct House {
    let database: any Database
    let clock: ManualClock
    let sweep: RequestRetention

    /// Serves a request.
    /// - Returns: whether it was a repeat.
    func serve(_ number: Int, keeping: RequestKeeping = .retention) async throws -> Bool {
      // Random ids, the hard case: their order has nothing to do with time.
      let high = String(UInt64(number) &* 0x9e37_79b9_7f4a_7c15, radix: 16)
      let digits = String(repeating: "0", count: 16 - high.count) + high
      let id = "\(digits.prefix(8))-\(digits.dropFirst(8).prefix(4))-\(digits.suffix(4))-8000-000000000000"
      let key = try #require(
        RequestKey(caller: Identifier(rawValue: 1), method: "octet.test.v1.Test/Do", requestID: id, keeping: keeping))
      return try await database.write { [clock] writer in
        try writer.once(key, hash: [1], now: clock.now()) { [UInt8(truncatingIfNeeded: number)] }.isReplay
      }
    }

    func sweepAll() async throws {
      while try await sweep.step(database) {}
    }

    /// Lets the time pass as a server would: the sweep comes by every minute or so.
    func live(_ duration: Duration, every interval: Duration = .seconds(300)) async throws {
      let end = clock.now() + duration
      while clock.now() < end {
        clock.advance(by: interval)
        try await sweepAll()
      }
    }

    func rows() async throws -> Int {
      try await database.read { reader in
        try [RequestTable.a, .b].reduce(0) { sum, table in
          sum + (try reader.first("SELECT count(*) FROM \(table.rawValue)") { $0[0] } ?? 0)
        }
      }
    }
  }

  private func withHouse(_ engine: Engine, _ body: (House) async throws -> Void) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let sweep = RequestRetention(RequestRetention.shortest, clock: clock)
      let house = House(database: database, clock: clock, sweep: sweep)
      try await house.sweepAll()
      try await body(house)
    }
  }

  @Test(arguments: Engine.all) func `a repeat is recognised for as long as promised, and rows go away after that`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      // A request each half an hour for three days, each repeated just before its retention ends.
      let interval: Duration = .seconds(1800)
      let perDay = 48
      for number in 0..<(3 * perDay) {
        #expect(try await !house.serve(number))
        if number >= perDay { #expect(try await house.serve(number - perDay + 1), "request \(number - perDay + 1)") }
        try await house.live(interval)
      }
      #expect(try await house.rows() <= 2 * perDay + 4, "nothing is older than two retentions")
      #expect(try await !house.serve(0), "after the retention a repeat is a new request")
    }
  }

  @Test(arguments: Engine.all) func `what is kept for ever is recognised for ever`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      #expect(try await !house.serve(1, keeping: .forever))
      try await house.live(.seconds(5 * 86_400), every: .seconds(3600))
      #expect(try await house.serve(1, keeping: .forever))
    }
  }

  @Test(arguments: Engine.all) func `at the turn rows go to both generations`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      #expect(try await !house.serve(1))
      house.clock.advance(by: RequestRetention.shortest)
      try await house.sweepAll()
      #expect(try await house.rows() == 1)
      // A transaction that began before the turn knows one table, one that begins now both: they meet in one.
      #expect(try await !house.serve(2))
      #expect(try await house.rows() == 3)
      #expect(try await house.serve(1))
      #expect(try await house.serve(2))
      house.clock.advance(by: RequestRetention.overlap)
      try await house.sweepAll()
      #expect(try await !house.serve(3))
      #expect(try await house.rows() == 4)
      for number in 1...3 { #expect(try await house.serve(number)) }
    }
  }

  @Test(arguments: Engine.all) func `concurrent repeats have one effect at every moment of a turn`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      house.clock.advance(by: RequestRetention.shortest)
      // Fewer than make up the overlap, which no transaction outlives: the next begin when these are over.
      let (numbers, atOnce) = (60, 8)
      var effects = 0
      for first in stride(from: 0, to: numbers, by: atOnce) {
        effects += try await withThrowingTaskGroup(of: Int.self) { group in
          for number in first..<min(numbers, first + atOnce) {
            for _ in 0..<4 { group.addTask { try await house.serve(number) ? 0 : 1 } }
            group.addTask {
              _ = try await house.sweep.step(house.database)
              house.clock.advance(by: .seconds(60))
              return 0
            }
          }
          return try await group.reduce(0, +)
        }
      }
      #expect(effects == numbers)
    }
  }

  @Test(arguments: Engine.all) func `an old generation is emptied in pieces, by several nodes at once`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      for number in 0..<1000 { _ = try await house.serve(number) }
      // Two turns, then the first generation is the older one.
      try await house.live(RequestRetention.shortest + RequestRetention.overlap * 2)
      house.clock.advance(by: RequestRetention.shortest)
      #expect(try await house.serve(999), "older than promised, but still there")
      #expect(try await house.sweep.step(house.database))
      #expect(try await house.rows() >= 1000 - RequestRetention.batch)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 { group.addTask { try await house.sweepAll() } }
        try await group.waitForAll()
      }
      #expect(try await house.rows() == 0)
    }
  }

  private final class Probe: Sweep {
    let name = "probe"
    let steps = Locked(0)
    let swept = ParkingSpot()

    func step(_ database: any Database) async throws -> Bool {
      steps.withLock { $0 += 1 }
      swept.unpark()
      return false
    }
  }

  @Test(arguments: Engine.all) func `in the background one of several nodes sweeps, and another one after it`(
    engine: Engine
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let probes = [Probe(), Probe()]
      let sweepers = zip(probes, [UInt64(1), 2]).map { probe, seed in
        Sweeper(
          database: database,
          leases: Leases(database: database, clock: clock, random: SeededRandomSource(seed: seed)), sweeps: [probe])
      }
      sweepers[0].start { _, _ in }
      try await probes[0].swept.park()
      sweepers[1].start { _, _ in }
      // The first one's lease is given back with its end, and not before.
      await sweepers[1].stop()
      #expect(probes[1].steps.withLock { $0 } == 0)
      await sweepers[0].stop()
      sweepers[1].start { _, _ in }
      try await probes[1].swept.park()
      await sweepers[1].stop()
    }
  }

  @Test func `less than a day is no retention`() async {
    await #expect(processExitsWith: .failure) {
      _ = RequestRetention(.seconds(86_399), clock: ManualClock())
    }
  }
}
