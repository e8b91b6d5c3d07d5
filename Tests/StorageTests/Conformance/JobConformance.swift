import Base
import Testing

@testable import Storage

@Suite(.timeLimit(.minutes(60)))
struct JobConformance {
  private struct Failure: Error {}

  /// Of a job whose heart, which beats in real time, is not to beat within a test.
  private static let longLease = Duration.seconds(3600)

  struct House: Sendable {
    let database: any Database
    let clock: ManualClock
    let timers: Timers

    func node(_ seed: UInt64) -> Timers {
      Timers(database: database, clock: clock, random: SeededRandomSource(seed: seed))
    }

    func set(_ kind: String, _ key: String, payload: [UInt8] = []) async throws {
      try await database.write { try timers.set(kind, key: key, due: clock.now(), payload: payload, in: $0) }
    }

    func status(_ kind: String, _ key: String) async throws -> TimerStatus? {
      try await database.read { try timers.status(kind, key: key, in: $0) }
    }

    func notes() async throws -> [String] {
      try await database.read { try $0.rows("SELECT note FROM effects ORDER BY id") { $0[0] } }
    }
  }

  static let effects = Migration(
    "effects", 1, "effects", sql: "CREATE TABLE effects (id INTEGER PRIMARY KEY, note TEXT NOT NULL);")

  static func withHouse(_ engine: Engine, _ body: (House) async throws -> Void) async throws {
    let clock = ManualClock()
    try await engine.withDatabase([effects], clock: clock) { database in
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 7))
      try await body(House(database: database, clock: clock, timers: timers))
    }
  }

  static func note(_ text: String) -> @Sendable (any Writer) throws -> Void {
    { try $0.execute("INSERT INTO effects (note) VALUES ($1)", text) }
  }

  @Test(arguments: Engine.all) func `a job writes as it goes, reports, and is gone when it has finished`(
    engine: Engine
  ) async throws {
    try await Self.withHouse(engine) { house in
      let seen = Locked<TimerStatus?>(nil)
      house.timers.work("film") { job in
        try await job.write(Self.note("began \(job.timer.payload)"))
        try await job.report([50])
        let status = try await house.status("film", "a")
        seen.withLock { $0 = status }
        try await job.finish(Self.note("finished"))
        await #expect(throws: JobLost.self) { try await job.write(Self.note("after the end")) }
      }
      try await house.set("film", "a", payload: [3])
      #expect(try await house.status("film", "a")?.isRunning == false)
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.notes() == ["began [3]", "finished"])
      let status = seen.withLock { $0 }
      #expect(status?.isRunning == true && status?.progress == [50] && status?.attempts == 1)
      #expect(try await house.status("film", "a") == nil)
    }
  }

  @Test(arguments: Engine.all) func `a job that only returns has finished too`(engine: Engine) async throws {
    try await Self.withHouse(engine) { house in
      house.timers.work("film") { job in try await job.write(Self.note(job.timer.key)) }
      try await house.set("film", "a")
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.timers.runDue() == 0)
      #expect(try await house.notes() == ["a"])
    }
  }

  @Test(arguments: Engine.all) func `a late worker cannot write, whatever it tries`(engine: Engine) async throws {
    try await Self.withHouse(engine) { house in
      let other = house.node(8)
      other.work("film", lease: Self.longLease) { job in
        try await job.finish(Self.note("second, fence \(job.timer.fence > 0), attempt \(job.timer.attempt)"))
      }
      house.timers.work("film", lease: Self.longLease) { job in
        try await job.write(Self.note("first"))
        // This worker is held up beyond its lease, and another node takes the job over.
        house.clock.advance(by: Self.longLease + .seconds(1))
        #expect(try await other.runDue() == 1)
        for attempt in 0..<4 {
          await #expect(throws: JobLost.self) {
            switch attempt {
            case 0: try await job.write(Self.note("late"))
            case 1: try await job.finish(Self.note("late"))
            case 2: try await job.report([1])
            default: try await job.extend()
            }
          }
        }
        #expect(Task.isCancelled, "the lost lease cancels the worker")
      }
      try await house.set("film", "a")
      #expect(try await house.timers.runDue() == 0)
      #expect(try await house.notes() == ["first", "second, fence true, attempt 2"])
      #expect(try await house.database.read { try house.timers.dead(limit: 1, in: $0) }.isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `a worker whose lease is over cannot write, though nobody has taken the job`(
    engine: Engine
  ) async throws {
    try await Self.withHouse(engine) { house in
      house.timers.work("film", lease: Self.longLease) { job in
        guard job.timer.attempt == 1 else { return try await job.finish(Self.note("second")) }
        house.clock.advance(by: Self.longLease - .nanoseconds(1))
        try await job.write(Self.note("first"))
        house.clock.advance(by: .nanoseconds(1))
        await #expect(throws: JobLost.self) { try await job.extend() }
        try await job.finish(Self.note("late"))
      }
      try await house.set("film", "a")
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.notes() == ["first", "second"])
    }
  }

  @Test(arguments: Engine.all) func `a lease that is extended is nobody else's`(engine: Engine) async throws {
    try await Self.withHouse(engine) { house in
      let other = house.node(8)
      other.work("film") { _ in Issue.record("the job has a worker") }
      house.timers.work("film") { job in
        for n in 0..<5 {
          house.clock.advance(by: .seconds(50))
          if n % 2 == 0 { try await job.extend() } else { try await job.report([UInt8(n)]) }
          #expect(try await other.runDue() == 0)
        }
        try await job.finish(Self.note("done"))
      }
      try await house.set("film", "a")
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.notes() == ["done"])
    }
  }

  @Test(arguments: Engine.all) func `a living worker extends its lease by itself`(engine: Engine) async throws {
    try await Self.withHouse(engine) { house in
      let lease: Duration = .milliseconds(60)
      let other = house.node(8)
      other.work("film", lease: lease) { _ in Issue.record("the job has a worker") }
      let mayEnd = ParkingSpot()
      house.timers.work("film", lease: lease) { job in
        try await mayEnd.park()
        try await job.finish(Self.note("done"))
      }
      let end: @Sendable () async throws -> Instant? = {
        try await house.database.read { try $0.first("SELECT due FROM octet_timers WHERE is_leased = 1") { $0[0] } }
      }
      try await house.set("film", "a")
      async let ran = house.timers.runDue()
      // Behind the task, which is waited for when this ends: whatever fails here lets it end.
      defer { mayEnd.unpark() }
      while try await end() == nil { await Task.yield() }
      for _ in 0..<5 {
        // The test's clock goes on only when the lease has been extended, so a slow machine makes nothing fail.
        house.clock.advance(by: .milliseconds(50))
        let expected = house.clock.now() + lease
        while try await end() != expected { await Task.yield() }
        #expect(try await other.runDue() == 0)
      }
      mayEnd.unpark()
      #expect(try await ran == 1)
      #expect(try await house.notes() == ["done"])
    }
  }

  @Test(arguments: Engine.all) func `cancelling ends the worker's task and its right to write`(
    engine: Engine
  ) async throws {
    try await Self.withHouse(engine) { house in
      let (running, isOver) = (ParkingSpot(), ParkingSpot())
      let ended = Locked(false)
      house.timers.work("film") { job in
        running.unpark()
        // Waits until it is cancelled.
        await #expect(throws: CancellationError.self) { try await isOver.park() }
        await #expect(throws: JobLost.self) {
          try await Task { try await job.write(Self.note("cancelled")) }.value
        }
        ended.withLock { $0 = true }
      }
      try await house.set("film", "a")
      async let ran = house.timers.runDue()
      defer { isOver.unpark() }
      try await running.park()
      #expect(try await house.database.write { try house.timers.cancel("film", key: "a", in: $0) })
      #expect(try await ran == 0)
      #expect(ended.withLock { $0 })
      #expect(try await house.notes().isEmpty)
      #expect(try await house.database.read { try house.timers.dead(limit: 1, in: $0) }.isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `a failed job keeps its error, comes again, dies, and can be revived by hand`(
    engine: Engine
  ) async throws {
    try await Self.withHouse(engine) { house in
      let fails = Locked(true)
      var policy = RetryPolicy()
      policy.attempts = 3
      house.timers.work("film", policy: policy) { job in
        try await job.write(Self.note("attempt \(job.timer.attempt)"))
        if fails.withLock({ $0 }) { throw Failure() }
      }
      try await house.set("film", "a", payload: [4])
      #expect(try await house.timers.runDue() == 0)
      #expect(try await house.status("film", "a")?.error?.contains("Failure") == true)
      for _ in 0..<6 {
        house.clock.advance(by: .seconds(10))
        try await house.timers.runDue()
      }
      // What a job has written before it failed stays: that is what it writes in steps for.
      #expect(try await house.notes() == ["attempt 1", "attempt 2", "attempt 3"])
      let dead = try #require(try await house.database.read { try house.timers.dead(limit: 9, in: $0) }.first)
      #expect(dead.payload == [4] && dead.attempts == 3)

      fails.withLock { $0 = false }
      // A job of this key that was set anew must not be replaced by its dead predecessor.
      try await house.set("film", "a")
      #expect(try await house.database.write { try !house.timers.retry(dead: dead.id, in: $0) })
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.database.write { try house.timers.retry(dead: dead.id, in: $0) })
      #expect(try await house.database.write { try !house.timers.retry(dead: dead.id, in: $0) })
      #expect(try await house.timers.runDue() == 1)
      #expect(try await house.notes().suffix(2) == ["attempt 1", "attempt 1"])
      #expect(try await house.database.read { try house.timers.dead(limit: 9, in: $0) }.isEmpty)
    }
  }

  @Test(arguments: Engine.all) func `who waits for a job learns when it is given up or abandoned alone`(
    engine: Engine
  ) async throws {
    try await Self.withHouse(engine) { house in
      var policy = RetryPolicy()
      policy.attempts = 2
      house.timers.work("film", policy: policy, givenUp: { try Self.note("\($1.key) is given up")($0) }) { job in
        if job.timer.key != "fine" { throw Failure() }
      }
      for key in ["bad", "fine", "cancelled", "abandoned"] { try await house.set("film", key) }
      #expect(try await house.database.write { try house.timers.cancel("film", key: "cancelled", in: $0) })
      for isThere in [true, false] {
        let wasThere = try await house.database.write { try house.timers.abandon("film", key: "abandoned", in: $0) }
        #expect(wasThere == isThere)
      }
      #expect(try await house.notes() == ["abandoned is given up"])
      try await house.timers.runDue()
      #expect(try await house.notes().count == 1)
      house.clock.advance(by: .seconds(10))
      try await house.timers.runDue()
      #expect(try await house.notes() == ["abandoned is given up", "bad is given up"])
      #expect(try await house.database.read { try house.timers.dead(limit: 9, in: $0) }.map(\.key) == ["bad"])
    }
  }

  @Test(arguments: Engine.all) func `a node that shuts down leaves its jobs to the others at once`(
    engine: Engine
  ) async throws {
    try await Self.withHouse(engine) { house in
      let running = ParkingSpot()
      house.timers.work("film") { _ in
        running.unpark()
        try await ParkingSpot().park()
      }
      try await house.set("film", "a")
      house.timers.start { _ in }
      try await running.park()
      await house.timers.stop()
      let status = try await house.status("film", "a")
      #expect(status?.isRunning == false && status?.attempts == 0, "the attempt does not count")
      let other = house.node(8)
      other.work("film") { job in try await job.write(Self.note("other")) }
      #expect(try await other.runDue() == 1)
    }
  }

  @Test(arguments: Engine.all) func `several nodes share many jobs and do each of them once`(
    engine: Engine
  ) async throws {
    try await Self.withHouse(engine) { house in
      let nodes = (1...4).map { house.node($0) }
      for node in nodes {
        node.work("film", atOnce: 8) { job in
          await Task.yield()
          try await job.finish(Self.note(job.timer.key))
        }
      }
      try await house.database.write { writer in
        for n in 0..<200 { try house.timers.set("film", key: "\(n)", due: house.clock.now(), in: writer) }
      }
      let done = try await withThrowingTaskGroup(of: Int.self) { group in
        for node in nodes { group.addTask { try await node.runDue() } }
        return try await group.reduce(0, +)
      }
      #expect(done == 200)
      #expect(try await Set(house.notes()).count == 200)
      #expect(try await house.notes().count == 200)
    }
  }
}
