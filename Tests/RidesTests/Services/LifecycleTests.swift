import Base
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

/// What time and the parties do to rides.
struct LifecycleTests {
  @Test func `nobody within five minutes: NO_DRIVER, and the search goes on until then`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    try await world.advance(by: .seconds(299))
    #expect(try await rider.ride(ride.id).state == .requested)
    try await world.advance(by: .seconds(1))
    #expect(try await rider.ride(ride.id).state == .noDriver)
    #expect(try await rider.requestRide().state == .requested)
  }

  @Test func `a declined ride is offered to another driver, and not to the first one again`() async throws {
    let world = try await RidesWorld()
    let near = try await TestDriver.online(world)
    let far = try await TestDriver.online(world, at: place(north: 800))
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    try await world.match()
    #expect(try await near.decline(try await near.offer()).refusalReason == nil)
    #expect(try await rider.ride(ride.id).epoch == 2)
    try await world.match()
    #expect(try await far.offer().rideID == ride.id)
    #expect(try await near.open().presence == .idle)
    try await world.advance(by: .seconds(12))
    try await far.goOffline()
    #expect(try await world.match() == 0)
  }

  @Test func `a driver who gives the ride back loses sight of it, and another gets it with the same quote`()
    async throws
  {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAtPickup()
    let pin = try await rider.ride(ride.id).pin
    var back = GiveBackRide()
    back.rideID = ride.id
    back.note = "flat tyre"
    let searching = try #require(try await driver.send(.cancel(back)).ackedRide)
    #expect(searching.state == .requested)
    #expect(searching.epoch == 2)
    #expect(searching.driver == nil)
    #expect(searching.note == "flat tyre")
    #expect(await refusal { _ = try await driver.rides.getRide(.init(ride.id)) } == Refusal(.notFound, "NOT_FOUND"))
    #expect(try await world.match() == 0)
    let other = try await TestDriver.online(world)
    try await world.match()
    let assigned = try #require(try await other.accept(try await other.offer()).ackedRide)
    #expect(assigned.quoteID == ride.quoteID)
    #expect(assigned.note.isEmpty)
    #expect(try await rider.ride(ride.id).pin != pin)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `a driver silent for five minutes on the way loses the ride and goes OFFLINE`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAssigned()
    try await world.advance(by: .seconds(299))
    try await world.match()
    #expect(try await rider.ride(ride.id).state == .assigned)
    try await world.advance(by: .seconds(1))
    try await world.match()
    let searching = try await rider.ride(ride.id)
    #expect(searching.state == .requested)
    #expect(searching.epoch == 2)
    #expect(try await driver.open().presence == .offline)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `a rider who does not come within five minutes is a NO_SHOW with the fee`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAtPickup()
    try await world.advance(by: .seconds(300))
    var cancel = CancelRideRequest()
    cancel.requestID = newRequestID()
    cancel.rideID = ride.id
    let ended = try await driver.rides.cancelRide(cancel)
    #expect(ended.state == .noShow)
    #expect(ended.cancelFee == Money(minor: 500, of: "EUR"))
    #expect(try await rider.ride(ride.id).state == .noShow)
    #expect(try await driver.open().presence == .idle)
  }

  @Test func `the cancel fee: free for two minutes, then the city's; PRICE_CHANGED to who expected another`()
    async throws
  {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAtPickup()
    var quote = QuoteCancelFeeRequest()
    quote.rideID = ride.id
    let early = try await rider.rides.quoteCancelFee(quote)
    #expect(early.fee?.minorUnits == 0)
    #expect(early.freeUntil != nil)
    try await world.advance(by: .seconds(121))
    let late = try await rider.rides.quoteCancelFee(quote)
    #expect(late.fee == Money(minor: 500, of: "EUR"))
    #expect(late.freeUntil == nil)
    #expect(try await driver.rides.quoteCancelFee(quote).fee?.minorUnits == 0)
    #expect(
      await refusal { try await rider.cancel(ride.id, expectedFee: early.fee) } == Refusal(.aborted, "PRICE_CHANGED"))
    #expect(try await rider.cancel(ride.id, expectedFee: late.fee).cancelFee == late.fee)
    #expect(
      await refusal { _ = try await rider.rides.quoteCancelFee(quote) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(await refusal { try await rider.cancel(ride.id) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(try await driver.open().presence == .idle)
  }

  @Test func `support cancels any ride free of charge; a stranger learns nothing of it`() async throws {
    let world = try await RidesWorld()
    let (rider, _, ride) = try await world.rideAtPickup()
    #expect(await refusal { try await TestRider(world).cancel(ride.id) } == Refusal(.notFound, "NOT_FOUND"))
    let support = TestRider(world, user: world.user("rides.support"))
    #expect(try await support.ride(ride.id).pin == nil)
    let ended = try await support.cancel(ride.id)
    #expect(ended.state == .cancelledByStaff)
    #expect(ended.cancelFee?.minorUnits == 0)
    #expect(try await rider.ride(ride.id).state == .cancelledByStaff)
  }

  @Test func `a detour beyond the bound is metered, a short one is not; both keep the table`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    world.clock.advance(by: .seconds(5))
    try await driver.report(place())
    // 2000 m were quoted as 2700 m; up to 3740 m the quote binds.
    for step in 1...13 {
      world.clock.advance(by: .seconds(20))
      try await driver.report(place(north: Double(step) * 300))
    }
    try await driver.complete(ride.id)
    let receipt = try await rider.receipt(ride.id)
    #expect(abs(receipt.distanceM - 3900) < 5)
    #expect(!receipt.quoteBound)
    #expect(receipt.tableVersion == 1)
    #expect(receipt.surgeBp == 10_000)
  }
}
