import Base
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing
import WellKnownTypes

@testable import Rides

/// Every documented reason of the methods, provoked; those of the acceptance items are in `AcceptanceTests.swift`.
struct RefusalTests {
  @Test func `onboarding: DRIVER_EXISTS, PLATE_TAKEN, VEHICLE_IN_USE, NOT_ELIGIBLE, WRONG_STATE`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.admitted(world)
    #expect(await refusal { try await driver.register(world) } == Refusal(.alreadyExists, "DRIVER_EXISTS"))

    let other = TestDriver(world)
    #expect(
      await refusal { try await other.bringVehicle() } == Refusal(.failedPrecondition, "NOT_ELIGIBLE"))
    #expect(
      await refusal { _ = try await other.submit(.insurance) } == Refusal(.failedPrecondition, "NOT_ELIGIBLE"))
    #expect(await refusal { try await other.open() } == Refusal(.failedPrecondition, "NOT_ELIGIBLE"))
    try await other.register(world)
    try await other.bringVehicle(plate: "ABC-123")
    #expect(
      await refusal { try await driver.bringVehicle(plate: "abc 123") } == Refusal(.alreadyExists, "PLATE_TAKEN"))
    #expect(
      await refusal { try await driver.link(other.vehicleID) } == Refusal(.failedPrecondition, "VEHICLE_IN_USE"))
    #expect(await refusal { try await driver.link("veh_0000000000001") } == Refusal(.notFound, "NOT_FOUND"))

    try await driver.open()
    try await driver.goOnline()
    #expect(
      await refusal { try await driver.link(driver.vehicleID) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    // A newer session takes over.
    let second = TestDriver(world, user: driver.user)
    try await second.open()
    #expect(await refusal { _ = try await driver.next() } == Refusal(.aborted, "SESSION_REPLACED"))
  }

  @Test func `documents and suspension: WRONG_STATE, dates, and what a driver may do meanwhile`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let staff = DriverServiceClient(world.channel(world.user("rides.ops")))
    let document = try await driver.submit(.backgroundCheck)
    var review = ReviewDocumentRequest()
    review.requestID = newRequestID()
    review.documentID = document.id
    review.rejection = "unreadable"
    #expect(try await staff.reviewDocument(review).state == .rejected)
    review.requestID = newRequestID()
    #expect(
      await refusal { _ = try await staff.reviewDocument(review) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(
      await badFields { _ = try await driver.submit(.insurance, expiresOn: date(2025, 12, 31)) } == ["expires_on"])
    #expect(
      await badFields { _ = try await driver.submit(.insurance, expiresOn: date(2027, 2, 29)) } == ["expires_on"])

    var suspend = SuspendDriverRequest()
    suspend.requestID = newRequestID()
    suspend.driverID = driver.id
    #expect(
      await refusal { _ = try await driver.service.suspendDriver(suspend) }
        == Refusal(.permissionDenied, "PERMISSION_DENIED"))
    #expect(try await staff.suspendDriver(suspend).presence == .offline)
    suspend.requestID = newRequestID()
    #expect(
      await refusal { _ = try await staff.suspendDriver(suspend) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(try await driver.send(.goOnline(GoOnline())).refusalReason == "NOT_ELIGIBLE")
    suspend.requestID = newRequestID()
    suspend.lift = true
    #expect(try await staff.suspendDriver(suspend).state == .active)
    try await driver.goOnline()
  }

  @Test func `pricing: NO_SERVICE, NO_ROUTE, TOO_MANY_STOPS, TABLE_OVERLAP, BAD_TABLE`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    var sea = place()
    sea.latitude = 59.5
    #expect(
      await refusal { _ = try await rider.quote(from: sea) } == Refusal(.failedPrecondition, "NO_SERVICE"))
    #expect(
      await refusal { _ = try await rider.quote(to: place(north: 310_000)) }
        == Refusal(.failedPrecondition, "NO_ROUTE"))
    var estimate = EstimateFareRequest()
    estimate.requestID = newRequestID()
    estimate.stops = (0...RidesLimits().stops).map { place(north: Double($0) * 100) }
    let many = estimate
    #expect(
      await refusal { _ = try await PricingServiceClient(rider.channel).estimateFare(many) }
        == Refusal(.invalidArgument, "TOO_MANY_STOPS"))

    let staff = PricingServiceClient(world.channel(world.user("rides.ops")))
    let city = try await world.city().id
    let now = world.clock.now()
    var request = PutFareTableRequest()
    request.requestID = newRequestID()
    request.table = try await world.database.read { try $0.fareTables(ofCity: city, at: now).first }
    let same = request
    #expect(
      await refusal { _ = try await staff.putFareTable(same) } == Refusal(.failedPrecondition, "TABLE_OVERLAP"))
    request.table?.slabs[0].fromM = 1
    let slabs = request
    #expect(await refusal { _ = try await staff.putFareTable(slabs) } == Refusal(.invalidArgument, "BAD_TABLE"))
    request.table?.slabs[0].fromM = 0
    let start = request.table?.validFrom
    request.table?.validUntil = start
    let span = request
    #expect(await refusal { _ = try await staff.putFareTable(span) } == Refusal(.invalidArgument, "BAD_TABLE"))
    request.table?.validUntil = nil
    request.table?.category = "luxury"
    #expect(try await staff.putFareTable(request).version == 4)
    #expect(try await rider.quotes().map(\.category) == ["comfort", "economy", "luxury", "xl"])
  }

  @Test func `zones: BAD_POLYGON, UNKNOWN_TIME_ZONE, ETAG_MISMATCH, and no pickup where none is allowed`() async throws
  {
    let world = try await RidesWorld()
    let staff = ZoneServiceClient(world.channel(world.user("rides.ops")))
    var put = PutZoneRequest()
    put.requestID = newRequestID()
    put.kind = .city
    put.name = "Nowhere"
    put.corners = [place(), place(north: 10), place(north: 20)]
    put.timeZone = "Mars/Olympus"
    put.currencyCode = "EUR"
    let line = put
    #expect(await refusal { _ = try await staff.putZone(line) } == Refusal(.invalidArgument, "BAD_POLYGON"))
    put.corners = [place(), place(north: 10), place(east: 10)]
    let mars = put
    #expect(await refusal { _ = try await staff.putZone(mars) } == Refusal(.invalidArgument, "UNKNOWN_TIME_ZONE"))

    put.kind = .noPickup
    put.cityID = try await world.city().id.text(kind: IDKind.city)
    put.corners = [
      place(north: -50, east: -50), place(north: -50, east: 50), place(north: 50, east: 50),
      place(north: 50, east: -50),
    ]
    let zone = try await staff.putZone(put)
    #expect(
      await refusal { _ = try await TestRider(world).quote() } == Refusal(.failedPrecondition, "NO_SERVICE"))
    put.zoneID = zone.id
    put.requestID = newRequestID()
    put.etag = "7"
    let stale = put
    #expect(await refusal { _ = try await staff.putZone(stale) } == Refusal(.aborted, "ETAG_MISMATCH"))
    put.etag = zone.etag
    put.corners = put.corners.map { corner in
      var corner = corner
      corner.latitude += 0.1
      return corner
    }
    #expect(try await staff.putZone(put).etag != zone.etag)
    #expect(try await TestRider(world).quote().category == "economy")

    var list = ListZonesRequest()
    list.pageSize = 1
    let first = try await staff.listZones(list)
    #expect(first.zones.map(\.kind) == [.city])
    list.pageToken = first.nextPageToken
    let second = try await staff.listZones(list)
    #expect(second.zones.map(\.kind) == [.noPickup])
    #expect(second.nextPageToken.isEmpty)
    list.kind = .airport
    let other = list
    #expect(await refusal { _ = try await staff.listZones(other) } == Refusal(.invalidArgument, "BAD_PAGE_TOKEN"))
  }

  @Test func `booking: METHOD_UNAVAILABLE, NOT_FOUND, REQUEST_ID_REUSED, and a repeat gets the same reply`()
    async throws
  {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    let quote = try await rider.quote()
    for method in [PaymentMethod.wallet, .card] {
      #expect(
        await refusal { _ = try await rider.requestRide(quote, method: method) }
          == Refusal(.failedPrecondition, "METHOD_UNAVAILABLE"))
    }
    #expect(
      await refusal { _ = try await TestRider(world).requestRide(quote) } == Refusal(.notFound, "NOT_FOUND"))
    let requestID = newRequestID()
    let ride = try await rider.requestRide(quote, requestID: requestID)
    #expect(try await rider.requestRide(quote, requestID: requestID) == ride)
    let other = try await rider.quote()
    #expect(
      await refusal { _ = try await rider.requestRide(other, requestID: requestID) }
        == Refusal(.alreadyExists, "REQUEST_ID_REUSED"))
    #expect(await refusal { _ = try await TestRider(world).ride(ride.id) } == Refusal(.notFound, "NOT_FOUND"))
    #expect(await refusal { _ = try await rider.ride(quote.id) } == Refusal(.invalidArgument, "WRONG_ID_KIND"))
  }

  @Test func `driving: TOO_FAR, WRONG_STATE, NOT_FOUND`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAssigned()
    #expect(
      await refusal { try await driver.start(ride.id, pin: "0000") } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(await refusal { try await driver.complete(ride.id) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(await refusal { _ = try await rider.receipt(ride.id) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    #expect(await refusal { _ = try await rider.recomputed(ride.id) } == Refusal(.failedPrecondition, "WRONG_STATE"))
    world.clock.advance(by: .seconds(20))
    try await driver.report(place(north: 200))
    #expect(await refusal { try await driver.arrive(ride.id) } == Refusal(.failedPrecondition, "TOO_FAR"))
    world.clock.advance(by: .seconds(20))
    try await driver.report(place(north: 140))
    world.clock.advance(by: .seconds(61))
    #expect(await refusal { try await driver.arrive(ride.id) } == Refusal(.failedPrecondition, "TOO_FAR"))
    try await driver.report(place(north: 141))
    let other = try await TestDriver.admitted(world)
    #expect(await refusal { try await other.arrive(ride.id) } == Refusal(.notFound, "NOT_FOUND"))
    try await driver.arrive(ride.id)
    #expect(await refusal { try await driver.arrive(ride.id) } == Refusal(.failedPrecondition, "WRONG_STATE"))
  }

  @Test func `cash: ALREADY_PAID, CURRENCY_MISMATCH, too much; a rest makes DUES_UNPAID until it is paid`() async throws
  {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    #expect(
      await refusal { try await driver.confirmCash(ride.id, Money(minor: 1, of: "EUR")) }
        == Refusal(.failedPrecondition, "WRONG_STATE"))
    try await world.advance(by: .seconds(300))
    let total = try #require(try await driver.complete(ride.id).total)
    #expect(
      await refusal { try await driver.confirmCash(ride.id, Money(minor: 100, of: "SEK")) }
        == Refusal(.invalidArgument, "CURRENCY_MISMATCH"))
    #expect(
      await refusal { try await driver.confirmCash(ride.id, Money(minor: total.minorUnits + 1, of: "EUR")) }?.code
        == .invalidArgument)
    #expect(
      await refusal { try await driver.confirmCash(ride.id, Money(minor: 0, of: "EUR")) }?.code == .invalidArgument)
    #expect(try await driver.confirmCash(ride.id, Money(minor: 100, of: "EUR")).state == .paymentDue)
    #expect(
      await refusal { _ = try await rider.requestRide() } == Refusal(.failedPrecondition, "DUES_UNPAID"))
    #expect(try await driver.confirmCash(ride.id, Money(minor: 50, of: "EUR")).state == .paymentDue)
    let rest = try #require(try await rider.ride(ride.id).outstanding)
    #expect(rest.minorUnits == total.minorUnits - 150)
    #expect(try await world.violations().isEmpty)
    #expect(try await driver.confirmCash(ride.id, rest).state == .paid)
    #expect(
      await refusal { try await driver.confirmCash(ride.id, rest) } == Refusal(.failedPrecondition, "ALREADY_PAID"))
    #expect(try await rider.requestRide().state == .requested)
    #expect(try await world.violations().isEmpty)
  }

  @Test func `offers: OFFER_TAKEN to the slower one, OFFER_EXPIRED after 12 seconds, NOT_FOUND to others`() async throws
  {
    var limits = RidesLimits()
    limits.fanOut = 2
    let world = try await RidesWorld(limits: limits)
    let fast = try await TestDriver.online(world)
    let slow = try await TestDriver.online(world)
    _ = try await TestRider(world).requestRide()
    #expect(try await world.match() == 2)
    let (first, second) = (try await fast.offer(), try await slow.offer())
    #expect(try await slow.accept(first).refusalReason == "NOT_FOUND")
    #expect(try await fast.accept(first).ackedRide?.state == .assigned)
    #expect(try await slow.accept(second).refusalReason == "OFFER_TAKEN")
    #expect(try await slow.closedOffer().reason == .taken)

    _ = try await TestRider(world).requestRide()
    try await world.match()
    let third = try await slow.offer()
    world.clock.advance(by: .seconds(12))
    // Judged by the clock, before the timer has run.
    #expect(try await slow.accept(third).refusalReason == "OFFER_EXPIRED")
    #expect(try await slow.decline(third).refusalReason == "OFFER_EXPIRED")
    #expect(try await slow.send(.goOnline(GoOnline())).refusalReason == nil)
  }

  @Test func `what does not exist is NOT_FOUND, whatever names it`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    let notFound = Refusal(.notFound, "NOT_FOUND")
    var register = RegisterDriverRequest()
    register.requestID = newRequestID()
    register.cityID = "city_0000000000001"
    register.displayName = "Driver"
    let registration = register
    let drivers = DriverServiceClient(rider.channel)
    #expect(await refusal { _ = try await drivers.registerDriver(registration) } == notFound)
    var list = ListVehicleCategoriesRequest()
    list.cityID = "city_0000000000001"
    let categories = list
    #expect(await refusal { _ = try await drivers.listVehicleCategories(categories) } == notFound)
    #expect(await refusal { _ = try await drivers.getDriver(GetDriverRequest()) } == notFound)
    #expect(await refusal { _ = try await rider.ride("ride_0000000000001") } == notFound)
    #expect(await refusal { try await rider.cancel("ride_0000000000001") } == notFound)
    #expect(await refusal { _ = try await rider.receipt("ride_0000000000001") } == notFound)

    let staff = world.user("rides.ops")
    var put = PutZoneRequest()
    put.requestID = newRequestID()
    put.kind = .service
    put.name = "Part"
    put.corners = [place(), place(north: 10), place(east: 10)]
    put.cityID = "city_0000000000001"
    let zone = put
    #expect(await refusal { _ = try await ZoneServiceClient(world.channel(staff)).putZone(zone) } == notFound)
    put.kind = .city
    put.cityID = ""
    put.timeZone = "Europe/Helsinki"
    put.currencyCode = "ZZZ"
    let city = put
    #expect(
      await refusal { _ = try await ZoneServiceClient(world.channel(staff)).putZone(city) }?.code == .invalidArgument)
  }

  @Test func `without credentials only the public methods answer`() async throws {
    let world = try await RidesWorld()
    let stranger = RPCChannel(
      transport: world.transport, authority: "test", interceptors: [Patience()], clock: world.clock)
    #expect(try await ZoneServiceClient(stranger).listZones(ListZonesRequest()).zones.count == 1)
    let refused = Refusal(.unauthenticated, "UNAUTHENTICATED")
    #expect(await refusal { _ = try await RideServiceClient(stranger).listRides(ListRidesRequest()) } == refused)
    #expect(await refusal { _ = try await DriverServiceClient(stranger).driverSession().responses.next() } == refused)
  }

  @Test func `a refused frame is answered by a row, and the session goes on`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    #expect(try await driver.send(nil).refusalReason == "INVALID_ARGUMENT")
    var arrived = ArriveAtPickup()
    arrived.rideID = "ride_0000000000001"
    #expect(try await driver.send(.arrived(arrived)).refusalReason == "NOT_FOUND")
    let requestID = newRequestID()
    let first = try await driver.send(.goOffline(GoOffline()), requestID: requestID)
    #expect(first.refusalReason == nil)
    #expect(try await driver.send(.goOnline(GoOnline()), requestID: requestID).refusalReason == "REQUEST_ID_REUSED")
    #expect(try await driver.send(.goOffline(GoOffline()), requestID: requestID) == first)
  }
}
