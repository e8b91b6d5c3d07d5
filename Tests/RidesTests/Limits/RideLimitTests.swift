import Base
import ChatAPI
import DomainKit
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

/// The limits of a ride: its way, the pickup, what cancelling costs, its chat. Each has another value than by default,
/// just before which the one thing holds, and just after it the other.
@Suite(.timeLimit(.minutes(60))) struct RideLimitTests {
  private let moment = Duration.milliseconds(1)

  private func world(_ change: (inout RidesLimits) -> Void) async throws -> (RidesWorld, RidesLimits) {
    var limits = RidesLimits()
    change(&limits)
    return (try await RidesWorld(limits: limits), limits)
  }

  @Test func `between two stops there are at most legM`() async throws {
    let (world, limits) = try await world { $0.legM = 3000 }
    let rider = TestRider(world)
    _ = try await rider.quote(to: place(north: limits.legM - 5))
    #expect(
      await refusal { _ = try await rider.quote(to: place(north: limits.legM + 5)) }
        == Refusal(.failedPrecondition, "NO_ROUTE"))
  }

  @Test func `a driver has arrived within arrivalRadiusM of the pickup`() async throws {
    let (world, limits) = try await world { $0.arrivalRadiusM = 90 }
    let driver = try await TestDriver.online(world, at: place(north: limits.arrivalRadiusM + 1))
    let ride = try await TestRider(world).requestRide()
    try await world.match()
    _ = try await driver.accept(try await driver.offer())
    #expect(await refusal { try await driver.arrive(ride.id) } == Refusal(.failedPrecondition, "TOO_FAR"))
    world.clock.advance(by: .seconds(5))
    try await driver.report(place(north: limits.arrivalRadiusM - 1))
    #expect(try await driver.arrive(ride.id).state == .arrived)
  }

  @Test(arguments: [false, true])
  func `a driver who leaves after noShowWait makes the ride NO_SHOW, and offers it to others before`(
    isLate: Bool
  ) async throws {
    let (world, limits) = try await world { $0.noShowWait = .seconds(200) }
    let (rider, driver, ride) = try await world.rideAtPickup()
    world.clock.advance(by: isLate ? limits.noShowWait : limits.noShowWait - moment)
    var cancel = CancelRideRequest()
    cancel.requestID = newRequestID()
    cancel.rideID = ride.id
    _ = try await driver.rides.cancelRide(cancel)
    #expect(try await rider.ride(ride.id).state == (isLate ? .noShow : .requested))
  }

  /// What cancelling costs the rider, and until when it is free.
  private func fee(_ ride: String, _ rider: TestRider) async throws -> QuoteCancelFeeResponse {
    var request = QuoteCancelFeeRequest()
    request.rideID = ride
    return try await rider.rides.quoteCancelFee(request)
  }

  @Test func `cancelling is free for freeCancelTime after the assignment`() async throws {
    let (world, limits) = try await world { $0.freeCancelTime = .seconds(70) }
    let (rider, _, ride) = try await world.rideAtPickup()
    let end = world.clock.now() + limits.freeCancelTime
    world.clock.advance(by: limits.freeCancelTime)
    let free = try await fee(ride.id, rider)
    #expect(free.fee?.minorUnits == 0)
    #expect(free.freeUntil == .init(end))
    world.clock.advance(by: moment)
    let late = try await fee(ride.id, rider)
    #expect(late.fee == Money(minor: 500, of: "EUR"))
    #expect(late.freeUntil == nil)
    #expect(try await rider.cancel(ride.id).cancelFee == late.fee)
  }

  @Test func `cancelling is free once the driver is late by lateDriver`() async throws {
    let (world, limits) = try await world {
      $0.freeCancelTime = .seconds(10)
      $0.lateDriver = .seconds(150)
    }
    let driver = try await TestDriver.online(world, at: place(north: 800))
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    try await world.match()
    let offer = try await driver.offer()
    _ = try await driver.accept(offer)
    #expect(offer.pickupEtaS > 0)
    world.clock.advance(by: .seconds(offer.pickupEtaS) + limits.lateDriver - moment)
    #expect(try await fee(ride.id, rider).fee == Money(minor: 500, of: "EUR"))
    world.clock.advance(by: moment)
    #expect(try await fee(ride.id, rider).fee?.minorUnits == 0)
    #expect(try await rider.cancel(ride.id).cancelFee?.minorUnits == 0)
  }

  @Test func `waiting at the pickup costs nothing for the free time of the fare`() async throws {
    for extra in [0, 60] as [Int64] {
      let world = try await RidesWorld()
      let (rider, driver, ride) = try await world.rideAtPickup()
      world.clock.advance(by: .seconds(FareCalculator.freeWaitingS + extra))
      try await driver.start(ride.id, pin: try #require(try await rider.ride(ride.id).pin))
      try await driver.complete(ride.id)
      let lines = try await rider.receipt(ride.id).lines
      #expect(lines.contains { $0.kind == .waiting && $0.amount?.minorUnits != 0 } == (extra > 0))
    }
  }

  @Test func `the chat is open for chatAfterRide after the ride, and then closed for good`() async throws {
    let (world, limits) = try await world { $0.chatAfterRide = .seconds(600) }
    let (rider, driver, ride) = try await world.rideUnderWay()
    try await driver.complete(ride.id)
    func isClosed() async throws -> Bool {
      try await world.database.read { try world.core.rooms.room(.ride, about: ride.id, in: $0)?.isClosed ?? true }
    }
    try await world.advance(by: limits.chatAfterRide - moment)
    #expect(try await !isClosed())
    #expect(await refusal { try await join(rider, ride.id) } == nil)
    // Judged by the clock, before any timer has run.
    world.clock.advance(by: moment)
    #expect(await refusal { try await join(rider, ride.id) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(try await !isClosed())
    try await world.runTimers()
    #expect(try await isClosed())
  }

  /// Joins the chat, and leaves it again.
  private func join(_ rider: TestRider, _ ride: String) async throws {
    let call = try await rider.rides.enterChat(ride)
    let first = try await call.responses.next()
    guard case .joined = first?.frame?.frame else { throw RidesError.emptyFrame }
    call.cancel()
  }
}
