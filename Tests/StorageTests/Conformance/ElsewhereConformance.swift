import Base
import Testing

@testable import Storage

/// Jobs that other programs do. Invariant 10: a job ends done, cancelled or given up through any crash, and its effect commits
/// once, under the latest fence.
@Suite struct ElsewhereConformance {
  private static let kind = "score"

  private struct Failure: Error {}

  /// What a worker elsewhere knows of its job.
  private struct Hold: Sendable {
    let job: DueTimer
    let until: Instant
  }

  private static func offer(_ house: JobConformance.House, attempts: Int = 3) {
    var policy = RetryPolicy()
    policy.attempts = attempts
    house.timers.offer(kind, policy: policy) { writer, timer in
      try JobConformance.note("given up \(timer.key), attempt \(timer.attempt)")(writer)
    }
  }

  private static func take(_ house: JobConformance.House) async throws -> Hold? {
    try await house.database.write { writer in
      try house.timers.takeNext(kind, in: writer).map { Hold(job: $0.job, until: $0.until) }
    }
  }

  /// Ends a job together with its effect.
  private static func finish(_ house: JobConformance.House, _ hold: Hold, _ note: String) async throws {
    try await house.database.write { writer in
      try house.timers.finish(kind, key: hold.job.key, fence: hold.job.fence, in: writer)
      try JobConformance.note(note)(writer)
    }
  }

  private static func fail(_ house: JobConformance.House, _ hold: Hold) async throws {
    try await house.database.write { writer in
      try house.timers.fail(kind, key: hold.job.key, fence: hold.job.fence, error: "no memory", in: writer)
    }
  }

  private static func dead(_ house: JobConformance.House) async throws -> [String] {
    try await house.database.read { reader in
      try house.timers.dead(limit: 9, in: reader).map { "\($0.key) \($0.attempts) \($0.error)" }
    }
  }

  @Test(arguments: Engine.all) func `each job is one worker's, that has been due for longest first, until it is done`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house)
      #expect(try await Self.take(house) == nil)
      try await house.set(Self.kind, "a", payload: [7])
      house.clock.advance(by: .seconds(1))
      try await house.set(Self.kind, "b")
      #expect(try await house.timers.runDue() == 0, "no work of this process's")
      let (a, b) = (try #require(try await Self.take(house)), try #require(try await Self.take(house)))
      #expect(a.job.key == "a" && a.job.payload == [7] && a.job.attempt == 1 && b.job.key == "b")
      #expect(a.until == house.clock.now() + .seconds(60))
      #expect(try await Self.take(house) == nil)
      try await Self.finish(house, a, "a")
      await #expect(throws: JobLost.self) { try await Self.finish(house, a, "a again") }
      try await Self.finish(house, b, "b")
      #expect(try await house.notes() == ["a", "b"])
      #expect(try await Self.dead(house) == [])
    }
  }

  @Test(arguments: Engine.all) func `a job that was tried more often than is allowed by now is given up, not forgotten`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house, attempts: 3)
      try await house.set(Self.kind, "a")
      try await Self.fail(house, try #require(try await Self.take(house)))
      house.clock.advance(by: .seconds(3600))
      // Of the next release.
      let later = JobConformance.House(database: house.database, clock: house.clock, timers: house.node(8))
      Self.offer(later, attempts: 1)
      try await later.set(Self.kind, "b")
      #expect(try await Self.take(later)?.job.key == "b")
      try await later.timers.runDue()
      #expect(try await Self.dead(later) == ["a 1 no memory"])
      #expect(try await later.notes() == ["given up a, attempt 1"])
      #expect(try await Self.take(later) == nil)
    }
  }

  /// Acceptance 13: given a worker frozen past its lease, then LEASE_LOST, one effect.
  @Test(arguments: Engine.all) func `acceptance 13: a worker that was frozen past its lease has no effect`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house)
      try await house.set(Self.kind, "a")
      let frozen = try #require(try await Self.take(house))
      house.clock.advance(by: .seconds(60))
      // Nobody else has asked yet: the clock alone decides.
      await #expect(throws: JobLost.self) { try await Self.finish(house, frozen, "late") }
      let second = try #require(try await Self.take(house))
      #expect(second.job.attempt == 2 && second.job.fence > frozen.job.fence)
      for attempt in 0..<3 {
        await #expect(throws: JobLost.self) {
          switch attempt {
          case 0: try await Self.finish(house, frozen, "late")
          case 1: try await Self.fail(house, frozen)
          default:
            try await house.database.write { writer in
              _ = try house.timers.extend(Self.kind, key: "a", fence: frozen.job.fence, in: writer)
            }
          }
        }
      }
      try await Self.finish(house, second, "second")
      #expect(try await house.notes() == ["second"])
    }
  }

  @Test(arguments: Engine.all) func `a lease that is extended is nobody else's`(engine: Engine) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house)
      try await house.set(Self.kind, "a")
      let hold = try #require(try await Self.take(house))
      for _ in 0..<5 {
        house.clock.advance(by: .seconds(50))
        #expect(try await Self.take(house) == nil)
        let end = try await house.database.write { writer in
          try house.timers.extend(Self.kind, key: "a", fence: hold.job.fence, in: writer)
        }
        #expect(end == house.clock.now() + .seconds(60))
      }
      try await Self.finish(house, hold, "done")
      #expect(try await house.notes() == ["done"])
    }
  }

  @Test(arguments: Engine.all) func `a job that was cancelled or set anew is no worker's any more`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house)
      try await house.set(Self.kind, "a")
      let first = try #require(try await Self.take(house))
      try await house.set(Self.kind, "a")
      await #expect(throws: JobLost.self) { try await Self.finish(house, first, "of the old one") }
      let second = try #require(try await Self.take(house))
      #expect(second.job.attempt == 1)
      _ = try await house.database.write { try house.timers.cancel(Self.kind, key: "a", in: $0) }
      await #expect(throws: JobLost.self) { try await Self.finish(house, second, "of the cancelled one") }
      #expect(try await house.notes() == [])
    }
  }

  @Test(arguments: Engine.all) func `a failed attempt comes again later, and the last one is given up`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house)
      try await house.set(Self.kind, "a")
      for attempt in 1...3 {
        let hold = try #require(try await Self.take(house))
        #expect(hold.job.attempt == attempt)
        try await Self.fail(house, hold)
        #expect(try await Self.take(house) == nil, "not at once")
        if attempt < 3 { #expect(try await house.status(Self.kind, "a")?.error == "no memory") }
        house.clock.advance(by: .seconds(20))
      }
      #expect(try await Self.take(house) == nil)
      #expect(try await Self.dead(house) == ["a 3 no memory"])
      #expect(try await house.notes() == ["given up a, attempt 3"])
      try await house.timers.runDue()
      #expect(try await house.notes() == ["given up a, attempt 3"])
    }
  }

  @Test(arguments: Engine.all) func `a job whose last lease has run out is given up, though nobody asks any more`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house, attempts: 2)
      try await house.set(Self.kind, "a")
      _ = try #require(try await Self.take(house))
      house.clock.advance(by: .seconds(60))
      let last = try #require(try await Self.take(house))
      // The last worker lives, for a while.
      house.clock.advance(by: .seconds(50))
      _ = try await house.database.write { writer in
        try house.timers.extend(Self.kind, key: "a", fence: last.job.fence, in: writer)
      }
      house.clock.advance(by: .seconds(59))
      try await house.timers.runDue()
      #expect(try await Self.dead(house) == [])
      house.clock.advance(by: .seconds(1))
      try await house.timers.runDue()
      #expect(try await Self.dead(house) == ["a 2 the lease of the last attempt has run out"])
      #expect(try await house.notes() == ["given up a, attempt 2"])
      #expect(try await Self.take(house) == nil)
      await #expect(throws: JobLost.self) { try await Self.finish(house, last, "late") }
      // By hand it gets all its attempts again.
      let id = try #require(try await house.database.read { try house.timers.dead(limit: 1, in: $0).first?.id })
      #expect(try await house.database.write { try house.timers.retry(dead: id, in: $0) })
      try await Self.finish(house, try #require(try await Self.take(house)), "after all")
      house.clock.advance(by: .seconds(120))
      try await house.timers.runDue()
      #expect(try await house.notes() == ["given up a, attempt 2", "after all"])
    }
  }

  @Test(arguments: Engine.all) func `a job that cannot be given up keeps nobody from others, and is given up later`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let fails = Locked(true)
      var policy = RetryPolicy()
      policy.attempts = 1
      house.timers.offer(Self.kind, policy: policy) { writer, timer in
        if fails.withLock({ $0 }) { throw Failure() }
        try JobConformance.note("given up \(timer.key), attempt \(timer.attempt)")(writer)
      }
      try await house.set(Self.kind, "a")
      let failed = try #require(try await Self.take(house))
      await #expect(throws: Failure.self) { try await Self.fail(house, failed) }
      for n in 0..<5 {
        house.clock.advance(by: .seconds(60))
        if n % 2 == 0 { try await house.timers.runDue() }
        try await house.set(Self.kind, "\(n)")
        let next = try #require(try await Self.take(house))
        #expect(next.job.key == "\(n)")
        try await Self.finish(house, next, "\(n)")
        #expect(try await Self.take(house) == nil)
      }
      #expect(try await Self.dead(house) == [])
      fails.withLock { $0 = false }
      house.clock.advance(by: .seconds(3600))
      try await house.timers.runDue()
      #expect(try await Self.dead(house) == ["a 1 the lease of the last attempt has run out"])
      #expect(try await house.notes() == ["0", "1", "2", "3", "4", "given up a, attempt 1"])
      #expect(try await Self.take(house) == nil)
    }
  }

  @Test(arguments: Engine.all) func `many workers that ask at once get a job each`(engine: Engine) async throws {
    try await JobConformance.withHouse(engine) { house in
      Self.offer(house)
      for n in 0..<40 { try await house.set(Self.kind, "\(n)") }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            while let hold = try await Self.take(house) { try await Self.finish(house, hold, hold.job.key) }
          }
        }
        try await group.waitForAll()
      }
      // On PostgreSQL a worker passes over a row that another one looks at; none is left behind in the end.
      while let hold = try await Self.take(house) { try await Self.finish(house, hold, hold.job.key) }
      #expect(try await Set(house.notes()).count == 40)
      #expect(try await house.notes().count == 40)
    }
  }
}
