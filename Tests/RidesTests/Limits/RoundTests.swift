import Base
import RidesAPI
import Storage
import Testing

@testable import Rides

/// What the domain does by itself, and after which pause: each round is let go by its own limit.
@Suite(.timeLimit(.minutes(60))) struct RoundTests {
  /// Four limits that cannot be taken for each other, or for the defaults.
  private static var limits: RidesLimits {
    var limits = RidesLimits()
    limits.matchInterval = .seconds(11)
    limits.trailInterval = .seconds(12)
    limits.checkpointInterval = .seconds(13)
    limits.sweepInterval = .seconds(14)
    return limits
  }

  /// A world whose background work has begun, with all of it in its first pause.
  private func withWorld(_ body: (RidesWorld, Pacer) async throws -> Void) async throws {
    let pacer = Pacer()
    let world = try await RidesWorld(limits: Self.limits, pacer: pacer)
    let rides = world.rides
    try await rides.start()
    let limits = Self.limits
    for pause in [limits.matchInterval, limits.trailInterval, limits.checkpointInterval, limits.sweepInterval] {
      try await pacer.awaitPause(pause)
    }
    do {
      try await body(world, pacer)
    } catch {
      Issue.record(error)
    }
    await rides.stop()
  }

  private func count(_ table: String, _ world: RidesWorld) async throws -> Int {
    try await world.database.read { try $0.first("SELECT count(*) FROM \(table)") { $0[0] as Int } ?? 0 }
  }

  @Test func `rides are matched after matchInterval`() async throws {
    try await withWorld { world, pacer in
      let driver = try await TestDriver.online(world)
      let rider = TestRider(world)
      let ride = try await rider.requestRide()
      for other in [Self.limits.trailInterval, Self.limits.checkpointInterval, Self.limits.sweepInterval] {
        try await pacer.round(other)
      }
      #expect(try await rider.ride(ride.id).state == .requested)
      try await pacer.round(Self.limits.matchInterval)
      #expect(try await driver.offer().rideID == ride.id)
    }
  }

  @Test func `points of trails are durable after trailInterval`() async throws {
    try await withWorld { world, pacer in
      let (_, driver, _) = try await world.rideUnderWay()
      world.clock.advance(by: .seconds(5))
      let ack = try await driver.report(place(north: 40))
      #expect(ack.durableSequence < ack.acceptedSequence)
      for other in [Self.limits.matchInterval, Self.limits.checkpointInterval, Self.limits.sweepInterval] {
        try await pacer.round(other)
      }
      #expect(try await count("rides_trail", world) == 0)
      try await pacer.round(Self.limits.trailInterval)
      #expect(try await count("rides_trail", world) == 1)
    }
  }

  @Test func `last positions are stored after checkpointInterval`() async throws {
    try await withWorld { world, pacer in
      let driver = try await TestDriver.online(world)
      world.clock.advance(by: .seconds(5))
      let reported = try await driver.report(place(north: 40)).acceptedSequence
      func stored() async throws -> Int64 {
        // What a new start finds.
        try await world.restart()
        return try await TestDriver(world, user: driver.user).open().acceptedSequence
      }
      for other in [Self.limits.matchInterval, Self.limits.trailInterval, Self.limits.sweepInterval] {
        try await pacer.round(other)
      }
      #expect(try await stored() < reported)
      try await pacer.round(Self.limits.checkpointInterval)
      #expect(try await stored() == reported)
    }
  }

  @Test func `unused quotes are looked for after sweepInterval`() async throws {
    try await withWorld { world, pacer in
      _ = try await TestRider(world).quotes()
      world.clock.advance(by: Self.limits.quoteLifetime + Self.limits.quoteRetention + .milliseconds(1))
      for other in [Self.limits.matchInterval, Self.limits.trailInterval, Self.limits.checkpointInterval] {
        try await pacer.round(other)
      }
      #expect(try await count("rides_quotes", world) > 0)
      try await pacer.round(Self.limits.sweepInterval)
      #expect(try await count("rides_quotes", world) == 0)
    }
  }
}
