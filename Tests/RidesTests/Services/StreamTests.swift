import Base
import ChatAPI
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides
@testable import Streaming

/// WatchRide, TrackRide and RideChat.
struct StreamTests {
  /// Reads a watch to its end, or until `limit` rows came.
  private func read(
    _ call: ServerStreamingCall<WatchRideResponse>, limit: Int = .max
  ) async throws -> [WatchRideResponse] {
    var rows: [WatchRideResponse] = []
    while rows.count < limit, let row = try await call.responses.next() { rows.append(row) }
    call.cancel()
    return rows
  }

  private func ride(_ row: WatchRideResponse) -> Ride? {
    switch row.event {
    case .snapshot(let ride), .change(let ride): ride
    case nil: nil
    }
  }

  @Test func `a watch shows every change in order and ends with the last; the rider sees the PIN in it`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let requested = try await rider.requestRide()
    let call = rider.watch(requested.id)
    guard case .snapshot(let snapshot) = try await call.responses.next()?.event else {
      Issue.record("a watch begins with a snapshot")
      return
    }
    #expect(snapshot.state == .requested)
    try await world.match()
    _ = try await driver.accept(try await driver.offer())
    try await driver.arrive(requested.id)
    let pin = try #require(try await rider.ride(requested.id).pin)
    #expect(snapshot.pin == pin)
    try await driver.start(requested.id, pin: pin)
    let completed = try await driver.complete(requested.id)
    try await driver.confirmCash(requested.id, completed.total)
    let rides = try await read(call).compactMap(ride)
    #expect(rides.map(\.state) == [.offering, .assigned, .arrived, .inProgress, .completed, .paid])
    #expect(rides.map(\.version) == [2, 3, 4, 5, 6, 7])
    #expect(rides.map(\.pin) == [pin, pin, pin, nil, nil, nil])
  }

  @Test func `a watch cut after each row and resumed, across a restart, misses and repeats nothing`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    let completed = try await driver.complete(ride.id)
    try await driver.confirmCash(ride.id, completed.total)
    let id = try Identifier.parse(ride.id, kind: IDKind.ride)
    var token = world.hub.tokens.make(world.core.rideTopic(id), TopicPosition(sequence: 0, born: 0))
    var versions: [Int64] = []
    while true {
      let rows = try await read(rider.watch(ride.id, resumeToken: token), limit: 1)
      guard let row = rows.first else { break }
      token = row.resumeToken
      versions.append(self.ride(row)?.version ?? 0)
      if versions.count == 3 {
        try await world.restart()
        let again = TestRider(world, user: rider.user)
        let rest = try await read(again.watch(ride.id, resumeToken: token))
        #expect(rest.compactMap { self.ride($0)?.version } == [4, 5, 6, 7])
        #expect(try await read(again.watch(ride.id, resumeToken: rest.last?.resumeToken ?? "")).isEmpty)
        break
      }
    }
    #expect(versions == [1, 2, 3])
  }

  @Test func `a forged token is BAD_RESUME_TOKEN, and a stranger's watch NOT_FOUND`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    #expect(
      await refusal { _ = try await rider.watch(ride.id, resumeToken: "forged").responses.next() }
        == Refusal(.invalidArgument, "BAD_RESUME_TOKEN"))
    #expect(
      await refusal { _ = try await TestRider(world).watch(ride.id).responses.next() }
        == Refusal(.notFound, "NOT_FOUND"))
  }

  @Test func `a token whose events are gone is RESUME_TOKEN_TOO_OLD`() async throws {
    let world = try await RidesWorld()
    let (rider, _, ride) = try await world.rideAssigned()
    let id = try Identifier.parse(ride.id, kind: IDKind.ride)
    let (hub, topic) = (world.hub, world.core.rideTopic(id))
    _ = try await world.database.write { try hub.compact(topic, through: 2, in: $0) }
    let token = hub.tokens.make(topic, TopicPosition(sequence: 1, born: 0))
    #expect(
      await refusal { _ = try await rider.watch(ride.id, resumeToken: token).responses.next() }
        == Refusal(.outOfRange, "RESUME_TOKEN_TOO_OLD"))
  }

  @Test func `the watch of a driver ends when the ride is given back`() async throws {
    let world = try await RidesWorld()
    let (_, driver, ride) = try await world.rideAssigned()
    var request = WatchRideRequest()
    request.rideID = ride.id
    let call = driver.rides.watchRide(request)
    _ = try await call.responses.next()
    var back = GiveBackRide()
    back.rideID = ride.id
    _ = try await driver.send(.cancel(back))
    let rows = try await read(call)
    #expect(rows.compactMap { self.ride($0)?.state } == [.requested])
  }

  @Test func `a track shows state, newest place and way left, and ends with the ride`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAtPickup()
    let track = rider.track(ride.id)
    let first = try #require(try await track.responses.next())
    #expect(first.state == .arrived)
    #expect(first.place == place())
    #expect(first.distanceLeftM == 0)
    let pin = try #require(try await rider.ride(ride.id).pin)
    try await driver.start(ride.id, pin: pin)
    let started = try #require(try await track.responses.next())
    #expect(started.state == .inProgress)
    #expect(started.distanceLeftM == 2700)
    #expect(started.routeLeft.count == 2)
    world.clock.advance(by: .seconds(60))
    try await driver.report(place(north: 1000))
    let moved = try #require(try await track.responses.next())
    #expect(moved.distanceLeftM == 1350)
    #expect(moved.etaS == 169)
    try await driver.complete(ride.id)
    #expect(try await track.responses.next() == nil)
  }

  @Test func `rider and driver chat from the assignment to 30 minutes after the ride`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    let closed = Refusal(.failedPrecondition, "WRONG_STATE")
    #expect(await refusal { _ = try await rider.rides.enterChat(ride.id).responses.next() } == closed)
    try await world.match()
    _ = try await driver.accept(try await driver.offer())

    let (atRider, atDriver) = (try await rider.rides.enterChat(ride.id), try await driver.rides.enterChat(ride.id))
    for call in [atRider, atDriver] {
      guard case .joined = try await call.responses.next()?.frame?.frame else {
        Issue.record("the first frame is `joined`")
        return
      }
    }
    var post = Post()
    post.requestID = newRequestID()
    post.text = "I am at the main entrance"
    var request = RideChatRequest()
    request.frame = ClientFrame()
    request.frame?.frame = .post(post)
    try await atRider.requests.write(request)
    guard case .message(let heard) = try await atDriver.responses.next()?.frame?.frame else {
      Issue.record("the driver hears the rider")
      return
    }
    #expect(heard.text == post.text)
    #expect(heard.authorID == rider.user.text(kind: "user"))
    #expect(
      await refusal { _ = try await TestRider(world).rides.enterChat(ride.id).responses.next() }
        == Refusal(.notFound, "NOT_FOUND"))

    try await driver.arrive(ride.id)
    try await driver.start(ride.id, pin: try #require(try await rider.ride(ride.id).pin))
    try await driver.complete(ride.id)
    try await world.advance(by: .seconds(1799))
    #expect(try await rider.rides.enterChat(ride.id).responses.next() != nil)
    try await world.advance(by: .seconds(1))
    #expect(await refusal { _ = try await rider.rides.enterChat(ride.id).responses.next() } == closed)
    // The streams that were open have been told.
    while let row = try await atDriver.responses.next() {
      if case .closed = row.frame?.frame { break }
    }
  }

  @Test func `an ended session ends the streams that it opened`() async throws {
    let world = try await RidesWorld()
    let driver = try await TestDriver.online(world)
    let rider = TestRider(world)
    let ride = try await rider.requestRide()
    let call = rider.watch(ride.id)
    _ = try await call.responses.next()
    world.people.end(rider.user)
    try await world.match()
    #expect(await refusal { _ = try await call.responses.next() } == Refusal(.unauthenticated, "SESSION_ENDED"))
    world.people.end(driver.user)
    #expect(await refusal { try await driver.goOffline() } == Refusal(.unauthenticated, "SESSION_ENDED"))
  }
}
