import Base
import Testing

@testable import Storage

@Suite(.timeLimit(.minutes(60)))
struct TimerConformance {
  private struct Failure: Error {}

  private struct House {
    let database: any Database
    let clock: ManualClock
    let timers: Timers

    func set(_ kind: String, _ key: String, in duration: Duration, payload: [UInt8] = []) async throws {
      let due = clock.now() + duration
      try await database.write { try timers.set(kind, key: key, due: due, payload: payload, in: $0) }
    }

    func total() async throws -> Int {
      try await database.read { try $0.first("SELECT count(*) FROM effects") { $0[0] } ?? 0 }
    }
  }

  private static let effects = Migration(
    "effects", 1, "effects", sql: "CREATE TABLE effects (id INTEGER PRIMARY KEY, note TEXT NOT NULL);")

  private func withHouse(_ engine: Engine, _ body: (House) async throws -> Void) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([Self.effects], clock: clock) { database in
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 7))
      try await body(House(database: database, clock: clock, timers: timers))
    }
  }

  private static let note: TimerHandler = { writer, timer in
    try writer.execute("INSERT INTO effects (note) VALUES ($1)", timer.key)
  }

  @Test(arguments: Engine.all) func `a timer goes off once, when it is due and not before`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note", Self.note)
      try await house.set("note", "a", in: .seconds(10))
      house.clock.advance(by: .seconds(9))
      #expect(try await house.timers.runDue() == 0)
      house.clock.advance(by: .seconds(1))
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.timers.runDue() == 0)
      #expect(try await house.total() == 1)
    }
  }

  @Test(arguments: Engine.all) func `many timers due at once all go off, oldest first`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note", Self.note)
      for n in 0..<200 { try await house.set("note", "\(n)", in: .seconds(200 - n)) }
      house.clock.advance(by: .seconds(1000))
      #expect(try await house.timers.runDue() == 200)
      #expect(try await house.total() == 200)
    }
  }

  @Test(arguments: Engine.all) func `setting again moves a timer, and cancelling removes it`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note", Self.note)
      try await house.set("note", "a", in: .seconds(1))
      try await house.set("note", "a", in: .seconds(5))
      try await house.set("note", "b", in: .seconds(1))
      #expect(try await house.database.write { try house.timers.cancel("note", key: "b", in: $0) })
      #expect(try await house.database.write { try !house.timers.cancel("note", key: "b", in: $0) })
      house.clock.advance(by: .seconds(2))
      #expect(try await house.timers.runDue() == 0)
      let due = try await house.database.read { try house.timers.due("note", key: "a", in: $0) }
      #expect(due == house.clock.now() + .seconds(3))
      house.clock.advance(by: .seconds(3))
      #expect(try await house.timers.runDue() == 1)
    }
  }

  @Test(arguments: Engine.all) func `a timer set in a transaction that rolls back does not exist`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note", Self.note)
      await #expect(throws: Failure.self) {
        try await house.database.write { writer in
          try house.timers.set("note", key: "a", due: house.clock.now(), in: writer)
          throw Failure()
        }
      }
      let ran = try await house.timers.runDue()
      #expect(ran == 0)
    }
  }

  @Test(arguments: Engine.all) func `a handler may set its own timer again`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      let (timers, clock) = (house.timers, house.clock)
      timers.handle("tick") { writer, timer in
        try Self.note(writer, timer)
        try timers.set("tick", key: timer.key, due: clock.now() + .seconds(1), in: writer)
      }
      try await house.set("tick", "a", in: .seconds(1))
      for expected in 1...5 {
        house.clock.advance(by: .seconds(1))
        #expect(try await house.timers.runDue() == 1)
        #expect(try await house.total() == expected)
      }
    }
  }

  @Test(arguments: Engine.all) func `a failed handler leaves nothing, comes again later, and at last dies`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      let attempts = Locked<[Int]>([])
      var policy = RetryPolicy()
      policy.attempts = 3
      house.timers.handle("bad", policy: policy) { writer, timer in
        try Self.note(writer, timer)
        attempts.withLock { if $0.last != timer.attempt { $0.append(timer.attempt) } }
        throw Failure()
      }
      try await house.set("bad", "a", in: .zero, payload: [9])
      for _ in 0..<10 {
        #expect(try await house.timers.runDue() == 0)
        house.clock.advance(by: .seconds(10))
      }
      #expect(attempts.withLock { $0 } == [1, 2, 3])
      #expect(try await house.total() == 0)
      let dead = try await house.database.read { try house.timers.dead(limit: 10, in: $0) }
      #expect(dead.map(\.key) == ["a"])
      #expect(dead.first?.payload == [9])
      #expect(dead.first?.attempts == 3)
      #expect(dead.first?.error.contains("Failure") == true)
    }
  }

  @Test(arguments: Engine.all) func `a clock that steps back between lease and attempt costs no timer`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note", Self.note)
      try await house.set("note", "a", in: .seconds(10))
      house.clock.advance(by: .seconds(10))
      let leased = try await house.timers.lease()
      house.clock.advance(by: .seconds(-5))
      for timer in leased { #expect(await !house.timers.run(timer)) }
      #expect(try await house.total() == 0)
      house.clock.advance(by: .seconds(5))
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.total() == 1)
    }
  }

  @Test(arguments: Engine.all) func `a failed attempt waits before the next one`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      let fails = Locked(true)
      house.timers.handle("note") { writer, timer in
        if fails.withLock({ $0 }) { throw Failure() }
        try Self.note(writer, timer)
      }
      try await house.set("note", "a", in: .zero)
      #expect(try await house.timers.runDue() == 0)
      fails.withLock { $0 = false }
      house.clock.advance(by: .milliseconds(1500))
      #expect(try await house.timers.runDue() == 0, "two seconds less a fifth have not passed")
      house.clock.advance(by: .milliseconds(1000))
      #expect(try await house.timers.runDue() == 1)
    }
  }

  @Test(arguments: Engine.all) func `two workers share the timers and run each of them once`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      let other = Timers(database: house.database, clock: house.clock, random: SeededRandomSource(seed: 8))
      for timers in [house.timers, other] { timers.handle("note", Self.note) }
      for n in 0..<300 { try await house.set("note", "\(n)", in: .zero) }
      async let first = house.timers.runDue()
      async let second = other.runDue()
      #expect(try await first + second == 300)
      #expect(try await house.total() == 300)
    }
  }

  @Test(arguments: Engine.all) func `a worker that lost its lease has no effect`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      let late = Timers(database: house.database, clock: house.clock, random: SeededRandomSource(seed: 8))
      late.handle("note", Self.note)
      try await house.set("note", "a", in: .zero)
      // The first worker leases the timer and is held up until the lease is over and another one has done the work.
      let leased = try await late.lease()
      #expect(leased.count == 1)
      house.timers.handle("note", Self.note)
      #expect(try await house.timers.runDue() == 0, "the lease is respected")
      house.clock.advance(by: Timers.leaseDuration)
      #expect(try await house.timers.runDue() == 1)
      try await house.set("note", "a", in: .seconds(60))
      for timer in leased { #expect(await late.run(timer) == false) }
      #expect(try await house.total() == 1)
      let due = try await house.database.read { try late.due("note", key: "a", in: $0) }
      #expect(due != nil, "the late worker did not remove the new timer")
    }
  }

  @Test(arguments: Engine.all) func `a worker whose lease is over leaves the timer to the next, as if it had not tried`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      let attempts = Locked<[Int]>([])
      house.timers.handle("note") { writer, timer in
        attempts.withLock { $0.append(timer.attempt) }
        try Self.note(writer, timer)
      }
      try await house.set("note", "a", in: .zero)
      for timer in try await house.timers.lease() {
        house.clock.advance(by: Timers.leaseDuration)
        #expect(await house.timers.run(timer) == false)
      }
      #expect(try await house.total() == 0)
      #expect(try await house.timers.runDue() == 1)
      // One engine runs each body twice.
      #expect(attempts.withLock { Set($0) } == [1])
    }
  }

  @Test(arguments: Engine.all) func `a timer that takes the process with it is given up in the end`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note", Self.note)
      try await house.set("note", "a", in: .zero)
      for _ in 0..<RetryPolicy().attempts {
        #expect(try await house.timers.lease().count == 1)
        house.clock.advance(by: Timers.leaseDuration)
      }
      #expect(try await house.timers.runDue() == 0)
      #expect(try await house.database.read { try house.timers.dead(limit: 1, in: $0) }.count == 1)
    }
  }

  @Test(arguments: Engine.all) func `timers without a handler wait for one and hold up nobody`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note", Self.note)
      for n in 0..<100 { try await house.set("unknown", "\(n)", in: .zero) }
      try await house.set("note", "a", in: .zero)
      #expect(try await house.timers.runDue() == 1)
      house.timers.handle("unknown", Self.note)
      #expect(try await house.timers.runDue() == 100)
    }
  }

  @Test(arguments: Engine.all) func `in the background a timer goes off without being asked`(
    engine: Engine
  ) async throws {
    let clock = SystemClock()
    try await engine.withDatabase([Self.effects], clock: clock) { database in
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 7))
      let wentOff = ParkingSpot()
      timers.handle("note") { writer, _ in writer.afterCommit { wentOff.unpark() } }
      timers.start { _ in }
      for _ in 0..<3 {
        try await database.write { try timers.set("note", key: "a", due: clock.now(), in: $0) }
        try await wentOff.park()
      }
      await timers.stop()
    }
  }
}

@Suite struct RetryPolicyTests {
  @Test func `waits double, are spread by a fifth, and have a limit`() {
    let random = SeededRandomSource(seed: 3)
    let policy = RetryPolicy()
    for attempt in 1...40 {
      let plain = min(3600.0, 2 * Double(1 << min(attempt - 1, 20)))
      let delay = Double(policy.delay(afterAttempt: attempt, random: random).inMilliseconds) / 1000
      #expect(delay >= plain * 0.8 - 0.01 && delay <= min(3600, plain * 1.2 + 0.01))
    }
  }
}
