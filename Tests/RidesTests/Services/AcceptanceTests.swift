import Base
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

/// The acceptance items of the rides specification, by number. Item 1 is in `RaceTests.swift`.
struct AcceptanceTests {
  @Test func `2: cancel and accept at once end as ASSIGNED then cancelled, or as OFFER_WITHDRAWN`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    var outcomes: Set<String> = []
    for _ in 0..<12 {
      let rider = TestRider(world)
      let ride = try await rider.requestRide()
      try await world.match()
      let offer = try await driver.offer()
      async let cancelled = rider.cancel(ride.id)
      let row = try await driver.accept(offer)
      #expect(try await cancelled.state == .cancelledByRider)
      let states = try await world.states(of: ride.id)
      if let reason = row.refusalReason {
        #expect(reason == "OFFER_WITHDRAWN")
        #expect(states == [.requested, .offering, .cancelledByRider])
      } else {
        #expect(states == [.requested, .offering, .assigned, .cancelledByRider])
        // Within two minutes of the assignment, so free by the fee rule.
        #expect(try await cancelled.cancelFee?.minorUnits == 0)
      }
      outcomes.insert(row.refusalReason ?? "ASSIGNED")
      #expect(try await world.violations().isEmpty)
    }
    print("cancel against accept: \(outcomes.sorted())")
  }

  @Test func `3: an accept repeated after a crash gets the same reply, and there is one ASSIGNED event`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let ride = try await TestRider(world).requestRide()
    try await world.match()
    let offer = try await driver.offer()
    let requestID = newRequestID()
    let first = try await driver.accept(offer, requestID: requestID)
    try await world.restart()
    let again = TestDriver(world, user: driver.user)
    #expect(try await again.open().presence == .enRoute)
    let second = try await again.accept(offer, requestID: requestID)
    #expect(second == first)
    // The same decision under another id is answered alike.
    #expect(try await again.accept(offer).ackedRide == first.ackedRide)
    #expect(try await world.states(of: ride.id).filter { $0 == .assigned }.count == 1)
  }

  @Test func `4: a jump of 50 km is not shown to who tracks the ride`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    let track = rider.track(ride.id)
    #expect(try await track.responses.next()?.place == place())
    world.clock.advance(by: .seconds(5))
    #expect(try await driver.report(place(north: 50_000)).acceptedSequence == 1)
    world.clock.advance(by: .seconds(5))
    try await driver.report(place(north: 60))
    #expect(try await track.responses.next()?.place == place(north: 60))
    track.cancel()
  }

  @Test func `5: a phone silent for 61 s while IDLE makes the driver OFFLINE, and no offers come`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    try await world.advance(by: .seconds(61))
    _ = try await TestRider(world).requestRide()
    #expect(try await world.match() == 0)
    let row = try await driver.next()
    guard case .state(let state) = row.event else {
      Issue.record("expected the new state, got \(row)")
      return
    }
    #expect(state.presence == .offline)
    // Going online again brings the offer.
    try await driver.goOnline()
    try await driver.report(place())
    #expect(try await world.match() == 1)
  }

  @Test func `6: five wrong PINs are WRONG_PIN, then even the right one is TOO_MANY_ATTEMPTS`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAtPickup()
    let pin = try #require(try await rider.ride(ride.id).pin)
    let wrong = pin == "0000" ? "0001" : "0000"
    for _ in 0..<5 {
      #expect(await refusal { try await driver.start(ride.id, pin: wrong) } == Refusal(.permissionDenied, "WRONG_PIN"))
    }
    for typed in [wrong, pin] {
      #expect(
        await refusal { try await driver.start(ride.id, pin: typed) }
          == Refusal(.resourceExhausted, "TOO_MANY_ATTEMPTS"))
    }
    #expect(try await rider.ride(ride.id).state == .arrived)
  }

  @Test func `6: of 40 wrong PINs at once five are judged`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAtPickup()
    let pin = try #require(try await rider.ride(ride.id).pin)
    let rides = driver.rides
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for _ in 0..<40 {
        group.addTask {
          var request = StartRideRequest()
          request.requestID = newRequestID()
          request.rideID = ride.id
          request.pin = pin == "0000" ? "0001" : "0000"
          return await refusal { _ = try await rides.startRide(request) }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0?.reason == "WRONG_PIN" }.count == 5)
    #expect(outcomes.filter { $0?.reason == "TOO_MANY_ATTEMPTS" }.count == 35)
  }

  @Test func `7: a document that expires at noon stops offers a second later`() async throws {
    // Midnight in Helsinki, the city's noon for this purpose: the last second of a document's last day.
    let world = try await RidesWorld(start: Instant(seconds: 1_767_304_800 - 40))  // 2026-01-02T00:00 Helsinki - 40 s
    let driver = TestDriver(world)
    try await driver.register(world)
    try await driver.bringVehicle()
    try await driver.prove(.drivingLicence, expiresOn: date(2026, 1, 1), world)
    try await driver.prove(.insurance, world)
    try await driver.open()
    try await driver.goOnline()
    try await driver.report(place())
    _ = try await TestRider(world).requestRide()
    world.clock.advance(by: .seconds(41))
    #expect(try await world.match() == 0)
    var request = GetDriverRequest()
    request.driverID = driver.id
    let seen = try await driver.service.getDriver(request)
    #expect(!seen.mayWork)
    #expect(seen.documents.map(\.state) == [.expired, .verified])
    // A new one helps.
    try await driver.prove(.drivingLicence, world)
    #expect(try await world.match() == 1)
  }

  @Test func `8: an expired quote is QUOTE_EXPIRED, a used one QUOTE_USED`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    let quote = try await rider.quote()
    let used = try await rider.quote()
    let ride = try await rider.requestRide(used)
    #expect(
      await refusal { _ = try await rider.requestRide(used) } == Refusal(.failedPrecondition, "QUOTE_USED"))
    try await rider.cancel(ride.id)
    #expect(
      await refusal { _ = try await rider.requestRide(used) } == Refusal(.failedPrecondition, "QUOTE_USED"))
    world.clock.advance(by: .seconds(299))
    let other = TestRider(world)
    let late = try await other.quote()
    world.clock.advance(by: .seconds(1))
    #expect(
      await refusal { _ = try await rider.requestRide(quote) } == Refusal(.failedPrecondition, "QUOTE_EXPIRED"))
    #expect(await refusal { _ = try await rider.requestRide(late) } == Refusal(.notFound, "NOT_FOUND"))
  }

  @Test func `12: TrackRide is NOT_FOUND to a stranger, and to the parties after the end`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    let notFound = Refusal(.notFound, "NOT_FOUND")
    #expect(await refusal { _ = try await TestRider(world).track(ride.id).responses.next() } == notFound)
    let track = rider.track(ride.id)
    #expect(try await track.responses.next()?.state == .inProgress)
    try await driver.complete(ride.id)
    #expect(try await track.responses.next() == nil)
    #expect(await refusal { _ = try await rider.track(ride.id).responses.next() } == notFound)
  }

  @Test func `14: a second ride beside a live one is RIDE_ACTIVE, and its quote stays good`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    let first = try await rider.requestRide()
    let quote = try await rider.quote()
    #expect(
      await refusal { _ = try await rider.requestRide(quote) } == Refusal(.failedPrecondition, "RIDE_ACTIVE"))
    try await rider.cancel(first.id)
    #expect(try await rider.requestRide(quote).state == .requested)
  }

  @Test func `15: latitude 91 and NaN are refused with the name of each bad field`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    var high = place()
    high.latitude = 91
    var nan = place()
    nan.longitude = .nan
    #expect(await refusal { _ = try await rider.quote(from: high, to: nan) }?.code == .invalidArgument)
    #expect(
      await badFields { _ = try await rider.quote(from: high, to: nan) }
        == ["stops[0].latitude", "stops[1].longitude"])
  }
}
