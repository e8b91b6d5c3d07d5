import Base
import Testing

@testable import Storage

/// What fails in the background is told to whoever started it, and done later.
@Suite(.timeLimit(.minutes(60)))
struct BackgroundFailureConformance {
  private struct Failure: Error {}

  private struct FailingSweep: Sweep {
    let name = "bad"
    func step(_ database: any Database) async throws -> Bool { throw Failure() }
  }

  private struct NotingSweep: Sweep {
    let name = "good"
    let hasRun: ParkingSpot

    func step(_ database: any Database) async throws -> Bool {
      hasRun.unpark()
      return false
    }
  }

  /// Takes the words of those who fail.
  private final class Words: Sendable {
    private let words = Locked<[String]>([])
    private let arrival = ParkingSpot()

    func append(_ word: String) {
      words.withLock { $0.append(word) }
      arrival.unpark()
    }

    /// Waits for the first one.
    func first() async throws -> String {
      while true {
        if let word = words.withLock({ $0.first }) { return word }
        try await arrival.park()
      }
    }
  }

  private func withDatabase(
    _ engine: Engine, _ body: (FailingDatabase, ManualClock) async throws -> Void
  ) async throws {
    let clock = ManualClock()
    try await engine.withDatabase(clock: clock) { try await body(FailingDatabase($0), clock) }
  }

  private func sweeper(_ database: any Database, _ clock: ManualClock, _ sweeps: [any Sweep]) -> Sweeper {
    let leases = Leases(database: database, clock: clock, random: SeededRandomSource(seed: 1))
    return Sweeper(database: database, leases: leases, sweeps: sweeps)
  }

  @Test(arguments: Engine.all) func `a sweep that fails is named, and the next one has its turn`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { database, clock in
      let (words, hasRun) = (Words(), ParkingSpot())
      let sweeper = sweeper(database, clock, [FailingSweep(), NotingSweep(hasRun: hasRun)])
      sweeper.start { sweep, error in words.append("\(sweep) \(error)") }
      let word = try await words.first()
      #expect(word == "bad Failure()")
      try await hasRun.park()
      await sweeper.stop()
    }
  }

  @Test(arguments: Engine.all) func `sweeps that cannot have their lease say so`(engine: Engine) async throws {
    try await withDatabase(engine) { database, clock in
      let words = Words()
      let sweeper = sweeper(database, clock, [FailingSweep()])
      database.fault.withLock { $0 = .refuses }
      sweeper.start { sweep, _ in words.append(sweep) }
      let word = try await words.first()
      #expect(word == "octet/sweeps")
      await sweeper.stop()
    }
  }

  @Test(arguments: Engine.all) func `timers that cannot be leased are told of, and go off later`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { database, clock in
      let (words, wentOff) = (Words(), ParkingSpot())
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 1))
      timers.handle("note") { writer, _ in writer.afterCommit { wentOff.unpark() } }
      try await database.write { try timers.set("note", key: "a", due: clock.now(), in: $0) }
      database.fault.withLock { $0 = .refuses }
      timers.start { error in words.append(((error as? StorageError)?.message) ?? "\(error)") }
      let word = try await words.first()
      #expect(word == "refused")
      database.fault.withLock { $0 = nil }
      try await wentOff.park()
      await timers.stop()
    }
  }

  @Test(arguments: Engine.all) func `a timer whose failure cannot be put down is named, and goes off later`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { database, clock in
      let (words, fails, wentOff) = (Words(), Locked(true), ParkingSpot())
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 1))
      timers.handle("note") { writer, _ in
        if fails.withLock({ $0 }) {
          database.fault.withLock { $0 = .isDamaged }
          throw Failure()
        }
        writer.afterCommit { wentOff.unpark() }
      }
      try await database.write { try timers.set("note", key: "a", due: clock.now(), in: $0) }
      timers.start { error in words.append("\(error)") }
      let word = try await words.first()
      #expect(word.hasPrefix("note a: ") && word.contains("damaged"))
      fails.withLock { $0 = false }
      database.fault.withLock { $0 = nil }
      clock.advance(by: Timers.leaseDuration)
      timers.wakeUp.unpark()
      try await wentOff.park()
      await timers.stop()
    }
  }

  @Test(arguments: Engine.all) func `a job that cannot be given up is named, with what is wrong`(
    engine: Engine
  ) async throws {
    struct Stubbornness: Error {}
    try await withDatabase(engine) { database, clock in
      let words = Words()
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 1))
      var policy = RetryPolicy()
      policy.attempts = 1
      timers.work("film", policy: policy, givenUp: { _, _ in throw Stubbornness() }) { _ in throw Failure() }
      try await database.write { try timers.set("film", key: "a", due: clock.now(), in: $0) }
      timers.start { error in words.append("\(error)") }
      let word = try await words.first()
      #expect(word == "film a: Stubbornness()")
      await timers.stop()
    }
  }

  @Test(arguments: Engine.all) func `a message that cannot be delivered is told of, and leaves later`(
    engine: Engine
  ) async throws {
    try await withDatabase(engine) { database, clock in
      let (words, fails, hasLeft) = (Words(), Locked(true), ParkingSpot())
      let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
      outbox.deliver("bus") { _ in
        if fails.withLock({ $0 }) { throw Failure() }
        hasLeft.unpark()
      }
      try await database.write { try outbox.append("bus", [1], in: $0) }
      outbox.start { error in words.append("\(error)") }
      let word = try await words.first()
      #expect(word == "Failure()")
      fails.withLock { $0 = false }
      clock.advance(by: .seconds(60))
      outbox.loop.wake()
      try await hasLeft.park()
      await outbox.stop()
    }
  }
}
