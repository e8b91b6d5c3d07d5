import Base
import Testing

@testable import Storage

@Suite(.timeLimit(.minutes(60)))
struct FairnessConformance {
  @Test(arguments: Engine.all) func `a kind with very many due timers holds up no other kind`(
    engine: Engine
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      let order = Locked<[String]>([])
      for kind in ["bulk", "rare"] {
        house.timers.handle(kind, atOnce: 8) { writer, timer in
          writer.afterCommit { order.withLock { $0.append(timer.kind) } }
        }
      }
      let early = house.clock.now() - .seconds(3600)
      try await house.database.write { writer in
        for n in 0..<5000 { try house.timers.set("bulk", key: "\(n)", due: early, in: writer) }
        for n in 0..<8 { try house.timers.set("rare", key: "\(n)", due: house.clock.now(), in: writer) }
      }
      #expect(try await house.timers.runDue() == 5008)
      let last = order.withLock { $0.lastIndex(of: "rare") }
      #expect(try #require(last) < 16, "all rare ones ran with the first bulk ones")
    }
  }

  @Test(arguments: Engine.all) func `jobs that never end hold up no other kind`(engine: Engine) async throws {
    let clock = SystemClock()
    try await engine.withDatabase([JobConformance.effects], clock: clock) { database in
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 7))
      let wentOff = ParkingSpot()
      let atOnce = Locked((now: 0, most: 0))
      timers.work("long", atOnce: 3) { _ in
        atOnce.withLock {
          $0.now += 1
          $0.most = max($0.most, $0.now)
        }
        defer { atOnce.withLock { $0.now -= 1 } }
        try await ParkingSpot().park()
      }
      timers.handle("short") { writer, _ in writer.afterCommit { wentOff.unpark() } }
      try await database.write { writer in
        for n in 0..<50 { try timers.set("long", key: "\(n)", due: clock.now(), in: writer) }
      }
      timers.start { _ in }
      for _ in 0..<20 {
        try await database.write { try timers.set("short", key: "a", due: clock.now(), in: $0) }
        try await wentOff.park()
      }
      while atOnce.withLock({ $0.most }) < 3 { await Task.yield() }
      await timers.stop()
      #expect(atOnce.withLock { $0.most } == 3, "a kind has its bound")
    }
  }
}
