import Base
import PostgreSQLServer
import Testing

@testable import Storage

/// What the database is to blame for costs a timer or a job no attempt, by the policy that all have who name none.
@Suite(.timeLimit(.minutes(60)))
struct ExcuseConformance {
  private static let excused: [StorageError.Code] = [
    .conflict, .busy, .overloaded, .unavailable, .outcomeUnknown, .diskFull,
  ]
  /// More than the policy permits.
  private static let rounds = RetryPolicy().attempts * 2
  private static let kinds = ["note", "film"]

  private struct House {
    let database: FailingDatabase
    let clock: ManualClock
    let timers: Timers
    /// The attempt that each kind has succeeded with.
    let succeeded = Locked<[String: Int]>([:])

    /// Sets a job that does `work`, which may fail, and succeeds otherwise.
    func setJob(lease: Duration = .seconds(60), _ work: @escaping @Sendable () async throws -> Void) async throws {
      timers.work("film", lease: lease) { [succeeded] job in
        try await work()
        try await job.finish { _ in }
        succeeded.withLock { $0["film"] = job.timer.attempt }
      }
      try await set("film")
    }

    func set(_ kind: String) async throws {
      try await database.write { try timers.set(kind, key: "a", due: clock.now(), in: $0) }
    }

    func attempts(_ kind: String) async throws -> Int? {
      try await database.read { try timers.status(kind, key: "a", in: $0)?.attempts }
    }

    func hasDead() async throws -> Bool {
      try await database.read { try !timers.dead(limit: 1, in: $0).isEmpty }
    }
  }

  private func withHouse(_ engine: Engine, _ body: (House) async throws -> Void) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { database in
      let failing = FailingDatabase(database)
      let timers = Timers(database: failing, clock: clock, random: SeededRandomSource(seed: 7))
      try await body(House(database: failing, clock: clock, timers: timers))
    }
  }

  @Test(arguments: Engine.all, excused) func `an attempt that met a database which does not serve does not count`(
    engine: Engine, code: StorageError.Code
  ) async throws {
    try await withHouse(engine) { house in
      let error = Locked<StorageError?>(StorageError(code, operation: "step", message: "not now"))
      house.timers.handle("note") { [succeeded = house.succeeded] _, timer in
        if let error = error.withLock({ $0 }) { throw error }
        succeeded.withLock { $0["note"] = timer.attempt }
      }
      try await house.set("note")
      try await house.setJob { if let error = error.withLock({ $0 }) { throw error } }
      for _ in 0..<Self.rounds {
        #expect(try await house.timers.runDue() == 0)
        house.clock.advance(by: .seconds(10))
      }
      for kind in Self.kinds { #expect(try await house.attempts(kind) == 0) }
      error.withLock { $0 = nil }
      #expect(try await house.timers.runDue() == 2)
      #expect(house.succeeded.withLock { $0 } == ["note": 1, "film": 1])
      #expect(try await !house.hasDead())
    }
  }

  @Test(arguments: Engine.all) func `what could not be put down is put down once the database is back`(
    engine: Engine
  ) async throws {
    try await withHouse(engine) { house in
      let fails = Locked(true)
      let fail: @Sendable () throws -> Void = { [database = house.database] in
        guard fails.withLock({ $0 }) else { return }
        database.fault.withLock { $0 = .refuses }
        throw StorageError(.unavailable, operation: "step", message: "gone")
      }
      house.timers.handle("note") { [succeeded = house.succeeded] _, timer in
        try fail()
        succeeded.withLock { $0["note"] = timer.attempt }
      }
      try await house.set("note")
      try await house.setJob { try fail() }
      for _ in 0..<Self.rounds {
        await #expect(throws: StorageError.self) { try await house.timers.runDue() }
        house.database.fault.withLock { $0 = nil }
        house.clock.advance(by: .seconds(10))
      }
      try await house.timers.settleRest()
      for kind in Self.kinds { #expect(try await house.attempts(kind) == 0) }
      fails.withLock { $0 = false }
      #expect(try await house.timers.runDue() == 2)
      #expect(house.succeeded.withLock { $0 } == ["note": 1, "film": 1])
    }
  }

  @Test(arguments: Engine.all) func `a failure of its own counts, also when it is put down later`(
    engine: Engine
  ) async throws {
    struct Failure: Error {}
    try await withHouse(engine) { house in
      house.timers.handle("note") { [database = house.database] _, _ in
        database.fault.withLock { $0 = .refuses }
        throw Failure()
      }
      try await house.set("note")
      for _ in 0..<RetryPolicy().attempts {
        #expect(try await !house.hasDead())
        await #expect(throws: StorageError.self) { try await house.timers.runDue() }
        house.database.fault.withLock { $0 = nil }
        house.clock.advance(by: .seconds(100))
      }
      #expect(try await house.timers.runDue() == 0)
      let dead = try await house.database.read { try house.timers.dead(limit: 9, in: $0) }
      #expect(dead.map { "\($0.attempts) \($0.error)" } == ["\(RetryPolicy().attempts) Failure()"])
      #expect(try await house.attempts("note") == nil)
    }
  }

  @Test(arguments: Engine.all) func `leases whose commit got no answer are given back`(engine: Engine) async throws {
    try await withHouse(engine) { house in
      house.timers.handle("note") { [succeeded = house.succeeded] _, timer in
        succeeded.withLock { $0["note"] = timer.attempt }
      }
      try await house.set("note")
      try await house.setJob {}
      for _ in 0..<Self.rounds {
        house.database.fault.withLock { $0 = .commitsWithoutAnswer }
        await #expect(throws: StorageError.self) { try await house.timers.runDue() }
        house.database.fault.withLock { $0 = nil }
        for kind in Self.kinds { #expect(try await house.attempts(kind) == 1) }
        try await house.timers.settleRest()
        for kind in Self.kinds { #expect(try await house.attempts(kind) == 0) }
      }
      #expect(try await house.timers.runDue() == 2)
      #expect(house.succeeded.withLock { $0 } == ["note": 1, "film": 1])
    }
  }

  @Test(arguments: Engine.all, [false, true]) func `a job whose lease ends while the database is down was not tried`(
    engine: Engine, comesBack: Bool
  ) async throws {
    let lease: Duration = .milliseconds(60)
    try await withHouse(engine) { house in
      let left = Locked(Self.rounds)
      try await house.setJob(lease: lease) { [database = house.database, clock = house.clock] in
        let fails = left.withLock { left in
          left -= 1
          return left >= 0
        }
        guard fails else { return }
        let refused = database.refused.withLock { $0 }
        database.fault.withLock { $0 = .refuses }
        // Until a sign of life has failed.
        while database.refused.withLock({ $0 }) == refused { await Task.yield() }
        clock.advance(by: lease)
        if comesBack { database.fault.withLock { $0 = nil } }
        // Waits until it is cancelled.
        try await ParkingSpot().park()
      }
      while left.withLock({ $0 }) >= 0 {
        _ = try? await house.timers.runDue()
        house.database.fault.withLock { $0 = nil }
      }
      #expect(house.succeeded.withLock { $0 } == ["film": 1])
      #expect(try await !house.hasDead())
    }
  }
}
