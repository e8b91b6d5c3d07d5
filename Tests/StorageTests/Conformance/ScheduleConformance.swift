import Base
import Testing

@testable import Storage

@Suite struct ScheduleConformance {
  private static let noon = Instant(seconds: 1_767_268_800)  // 2026-01-01T12:00:00Z

  private struct Node {
    let timers: Timers
    let schedules: Schedules
  }

  private func node(_ house: JobConformance.House, _ seed: UInt64, _ missed: Schedules.Missed, fails: Bool = false)
    throws -> Node
  {
    struct Failure: Error {}
    let timers = house.node(seed)
    let schedules = Schedules(timers: timers)
    schedules.add("clean", try CronExpression("*/10 * * * *"), sets: "clean", missed: missed)
    timers.handle("clean") { writer, timer in
      if fails { throw Failure() }
      try writer.execute("INSERT INTO effects (note) VALUES ($1)", "\(timer.scheduledFor.nanoseconds / 60_000_000_000)")
    }
    return Node(timers: timers, schedules: schedules)
  }

  @Test(arguments: Engine.all) func `every tick runs once, whichever of several nodes takes it`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let nodes = try (1...4).map { try node(house, $0, .coalesce) }
      for node in nodes { try await node.schedules.start() }
      let start = house.clock.now()
      for _ in 0..<36 {
        house.clock.advance(by: .seconds(300))
        try await withThrowingTaskGroup(of: Void.self) { group in
          for node in nodes { group.addTask { try await node.timers.runDue() } }
          try await group.waitForAll()
        }
      }
      let first = start.nanoseconds / 60_000_000_000
      #expect(try await house.notes() == (1...18).map { "\(first + Int64($0) * 10)" })
    }
  }

  @Test(arguments: Engine.all) func `missed ticks become one run, whose instant is the first of them`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let node = try node(house, 1, .coalesce)
      try await node.schedules.start()
      let first = house.clock.now().nanoseconds / 60_000_000_000
      house.clock.advance(by: .seconds(3605))
      try await node.timers.runDue()
      #expect(try await house.notes() == ["\(first + 10)"])
      house.clock.advance(by: .seconds(600))
      try await node.timers.runDue()
      #expect(try await house.notes() == ["\(first + 10)", "\(first + 70)"])
    }
  }

  @Test(arguments: Engine.all) func `missed ticks are caught up one by one where that is asked for`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let node = try node(house, 1, .catchUp)
      try await node.schedules.start()
      let first = house.clock.now().nanoseconds / 60_000_000_000
      let ticks = Schedules.caughtUpAtOnce * 2 + 5
      house.clock.advance(by: .seconds(600 * ticks))
      try await node.timers.runDue()
      let expected = (1...ticks).map { "\(first + Int64($0) * 10)" }
      #expect(try await house.notes().sorted() == expected.sorted())
    }
  }

  @Test(arguments: Engine.all) func `a run that fails does not stop its schedule, and none overtakes it`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let bad = try node(house, 1, .coalesce, fails: true)
      try await bad.schedules.start()
      for _ in 0..<200 {
        house.clock.advance(by: .seconds(60))
        try await bad.timers.runDue()
      }
      let dead = try await house.database.read { try bad.timers.dead(limit: 100, in: $0) }
      #expect(dead.count > 5 && dead.allSatisfy { $0.kind == "clean" && $0.attempts == 5 })
      #expect(try await house.database.read { try bad.timers.due("schedule/clean", key: "", in: $0) } != nil)
    }
  }

  @Test(arguments: Engine.all) func `a restart goes on with the tick it waits for, a changed schedule begins anew`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let first = try node(house, 1, .coalesce)
      try await first.schedules.start()
      let due = try await house.database.read { try first.timers.due("schedule/clean", key: "", in: $0) }
      house.clock.advance(by: .seconds(900))
      let second = try node(house, 2, .coalesce)
      try await second.schedules.start()
      #expect(try await house.database.read { try second.timers.due("schedule/clean", key: "", in: $0) } == due)

      let third = house.node(3)
      let changed = Schedules(timers: third)
      changed.add("clean", try CronExpression("0 3 * * *"), sets: "clean")
      try await changed.start()
      let next = try #require(try await house.database.read { try third.due("schedule/clean", key: "", in: $0) })
      #expect(next == Instant(seconds: 1_767_236_400), "2026-01-01T03:00:00Z")
    }
  }
}
