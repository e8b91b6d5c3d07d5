import Base
import DomainKit
import OctetTypes
import PostgreSQLServer
import RidesAPI
import Storage
import Testing

@testable import Rides

/// The limits of offers and of the search for a driver. Each has another value than by default, just before which the
/// one thing holds, and just after it the other.
@Suite(.timeLimit(.minutes(60))) struct OfferLimitTests {
  private let moment = Duration.milliseconds(1)

  private func world(_ change: (inout RidesLimits) -> Void) async throws -> (RidesWorld, RidesLimits) {
    var limits = RidesLimits()
    change(&limits)
    return (try await RidesWorld(limits: limits), limits)
  }

  @Test func `an offer can be accepted for offerLifetime, and is offered anew after it`() async throws {
    for isLate in [false, true] {
      let (world, limits) = try await world { $0.offerLifetime = .seconds(40) }
      let driver = try await TestDriver.online(world)
      let rider = TestRider(world)
      let ride = try await rider.requestRide()
      try await world.match()
      let offer = try await driver.offer()
      #expect(offer.expiresAt == .init(world.clock.now() + limits.offerLifetime))
      try await world.advance(by: limits.offerLifetime - moment)
      #expect(try await rider.ride(ride.id).state == .offering)
      if isLate {
        // Judged by the clock, before any timer has run.
        world.clock.advance(by: moment)
        #expect(try await driver.accept(offer).refusalReason == "OFFER_EXPIRED")
        try await world.runTimers()
        #expect(try await driver.closedOffer().reason == .expired)
        #expect(try await rider.ride(ride.id).state == .requested)
        #expect(try await rider.ride(ride.id).epoch == 2)
      } else {
        #expect(try await driver.accept(offer).ackedRide?.state == .assigned)
      }
    }
  }

  @Test func `a driver is looked for during searchTime`() async throws {
    let (world, limits) = try await world { $0.searchTime = .seconds(100) }
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    try await world.advance(by: limits.searchTime - moment)
    #expect(try await rider.ride(ride.id).state == .requested)
    try await world.advance(by: moment)
    #expect(try await rider.ride(ride.id).state == .noDriver)
  }

  @Test func `no offer is made once searchTime is over, though the timer has not run`() async throws {
    let (world, limits) = try await world { $0.searchTime = .seconds(100) }
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    world.clock.advance(by: limits.searchTime)
    let driver = try await TestDriver.online(world)
    #expect(try await world.match() == 0)
    try await world.runTimers()
    #expect(try await rider.ride(ride.id).state == .noDriver)
    _ = try await rider.requestRide()
    world.clock.advance(by: limits.searchTime - moment)
    try await driver.goOnline()
    try await driver.report(place(north: 10))
    #expect(try await world.match() == 1)
  }

  @Test func `a ride that loses its driver has a whole searchTime again`() async throws {
    let (world, limits) = try await world { $0.searchTime = .seconds(100) }
    let (rider, driver, ride) = try await world.rideAssigned()
    // The search that found the driver is over.
    try await world.advance(by: limits.searchTime)
    #expect(try await rider.ride(ride.id).state == .assigned)
    var back = GiveBackRide()
    back.rideID = ride.id
    #expect(try await driver.send(.cancel(back)).ackedRide?.state == .requested)
    try await world.advance(by: limits.searchTime - moment)
    #expect(try await rider.ride(ride.id).state == .requested)
    try await world.advance(by: moment)
    #expect(try await rider.ride(ride.id).state == .noDriver)
  }

  @Test func `one matching looks at matchedRides of a city, the oldest`() async throws {
    let (world, limits) = try await world { $0.matchedRides = 2 }
    var rides: [(rider: TestRider, id: String)] = []
    for _ in 0...limits.matchedRides {
      let rider = TestRider(world)
      rides.append((rider, try await rider.requestRide().id))
      _ = try await TestDriver.online(world)
    }
    func states() async throws -> [RideState] {
      var states: [RideState] = []
      for ride in rides { states.append(try await ride.rider.ride(ride.id).state) }
      return states
    }
    #expect(try await world.match() == limits.matchedRides)
    #expect(try await states() == [.offering, .offering, .requested])
    #expect(try await world.match() == 1)
    #expect(try await states() == [.offering, .offering, .offering])
  }

  @Test func `as many rides are offered at the same time as offersAtOnce says`() async throws {
    let (world, limits) = try await world { $0.offersAtOnce = 2 }
    let rides = 5
    for _ in 0..<rides {
      _ = try await TestRider(world).requestRide()
      _ = try await TestDriver.online(world)
    }
    let database = world.database
    let hasBegun = ParkingSpot()
    let mayEnd = BlockingQueue<Void>(limit: 1)
    try await withThrowingTaskGroup(of: Void.self) { group in
      // The group waits for them, whatever fails here.
      defer { mayEnd.close() }
      // All that write are kept busy, one by one, so that offers have to wait.
      for _ in 0..<EngineUnderTest.writers {
        group.addTask {
          try await database.write { _ in
            hasBegun.unpark()
            _ = mayEnd.pop(atMost: 1)
          }
        }
        try await hasBegun.park()
      }
      async let made = world.match()
      while database.waiting.writes < limits.offersAtOnce { await Task.yield() }
      // If there were more, they would come now; behind all other tests each of these takes long, so a second is enough.
      let end = ContinuousClock.now + .seconds(1)
      for _ in 0..<2000 where ContinuousClock.now < end { await Task.yield() }
      #expect(database.waiting.writes == limits.offersAtOnce)
      mayEnd.close()
      #expect(try await made == rides)
      try await group.waitForAll()
    }
  }
}
