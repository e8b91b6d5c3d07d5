import Base
import Testing

@testable import Storage

/// How kinds share a node that has more to do than it has places.
@Suite(.timeLimit(.minutes(60)))
struct WeightConformance {
  private static func crowded(_ house: JobConformance.House, capacity: Int) -> Timers {
    Timers(
      database: house.database, clock: house.clock, random: SeededRandomSource(seed: 9), capacity: capacity)
  }

  private static func set(_ house: JobConformance.House, _ kinds: String...) async throws {
    try await house.database.write { writer in
      for kind in kinds {
        for n in 0..<100 { try house.timers.set(kind, key: "\(n)", due: house.clock.now(), in: writer) }
      }
    }
  }

  private static func count(_ leased: [DueTimer]) -> [String: Int] {
    Dictionary(grouping: leased, by: \.kind).mapValues(\.count)
  }

  @Test(arguments: Engine.all) func `places go by the weights of those that are due, within the kinds' bounds`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let timers = Self.crowded(house, capacity: 30)
      timers.handle("heavy", weight: 3) { _, _ in }
      timers.handle("light") { _, _ in }
      timers.handle("bounded", atOnce: 4, weight: 100) { _, _ in }
      timers.handle("idle", weight: 100) { _, _ in }
      try await Self.set(house, "heavy", "light", "bounded")
      let first = Self.count(try await timers.lease())
      #expect(first["bounded"] == 4 && first["idle"] == nil && first.values.reduce(0, +) == 30)
      // 26 by three to one.
      let heavy = try #require(first["heavy"])
      #expect((19...20).contains(heavy) && first["light"] == 26 - heavy)
      #expect(try await timers.lease().isEmpty, "the node is full")
    }
  }

  @Test(arguments: Engine.all) func `a node with few places does everything in the end`(engine: Engine) async throws {
    try await JobConformance.withHouse(engine) { house in
      let timers = Self.crowded(house, capacity: 3)
      for (kind, weight) in [("a", 100), ("b", 1), ("c", 1)] {
        timers.handle(kind, weight: weight) { writer, timer in
          try JobConformance.note("\(timer.kind)\(timer.key)")(writer)
        }
      }
      try await Self.set(house, "a", "b", "c")
      #expect(try await timers.runDue() == 300)
      #expect(try await Set(house.notes()).count == 300)
    }
  }

  @Test(arguments: Engine.all) func `a full node goes on when anything has ended`(engine: Engine) async throws {
    try await JobConformance.withHouse(engine) { house in
      let timers = Self.crowded(house, capacity: 2)
      let (hasBegun, mayEnd, isDone) = (ParkingSpot(), ParkingSpot(), ParkingSpot())
      timers.work("long", atOnce: 2) { job in
        hasBegun.unpark()
        if job.timer.key == "first" { try await mayEnd.park() } else { try await ParkingSpot().park() }
      }
      timers.handle("short") { writer, _ in writer.afterCommit { isDone.unpark() } }
      try await house.set("long", "first")
      try await house.set("long", "other")
      timers.start { _ in }
      try await hasBegun.park()
      while try await house.database.read({
        try $0.first("SELECT COUNT(*) FROM octet_timers WHERE is_leased = 1") { $0[0] as Int }
      }) != 2 { await Task.yield() }
      try await house.set("short", "a")
      mayEnd.unpark()
      try await isDone.park()
      await timers.stop()
      #expect(try await house.status("short", "a") == nil)
    }
  }
}
