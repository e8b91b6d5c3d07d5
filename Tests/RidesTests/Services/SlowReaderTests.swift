import Base
import Chat
import ChatAPI
import DomainKit
import ProtobufRuntime
import RPC
import Refusals
import RidesAPI
import Storage
import Streaming
import Testing

@testable import Rides

/// SLOW_READER: clients that do not read while more happens than is kept for them.
struct SlowReaderTests {
  /// More than the windows between the two ends hold.
  private static let events = 40
  private static let filler = String(repeating: "x", count: 60_000)

  private func world() async throws -> RidesWorld {
    var (limits, chatLimits) = (TopicLimits(), ChatLimits())
    (limits.queuedEvents, chatLimits.textLength) = (4, Self.filler.count)
    return try await RidesWorld(topicLimits: limits, chatLimits: chatLimits)
  }

  private func publish(_ payload: [UInt8], on topic: Topic, _ world: RidesWorld) async throws {
    let hub = world.hub
    for _ in 0..<Self.events {
      _ = try await world.database.write { try hub.publish(topic, payload, in: $0) }
    }
  }

  @Test func `ends a watch of a ride`() async throws {
    let world = try await world()
    let rider = TestRider(world)
    var ride = try await rider.requestRide()
    let call = rider.watch(ride.id)
    _ = try await call.responses.next()
    ride.category = Self.filler
    var change = WatchRideResponse()
    change.event = .change(ride)
    let id = try Identifier.parse(ride.id, kind: IDKind.ride)
    try await publish(change.encoded(), on: world.core.rideTopic(id), world)
    let ended = await refusal { while try await call.responses.next() != nil {} }
    #expect(ended == Refusal(.resourceExhausted, "SLOW_READER"))
  }

  @Test func `ends a driver's session`() async throws {
    let world = try await world()
    let driver = try await TestDriver.admitted(world)
    let call = driver.service.driverSession()
    _ = try await call.responses.next()
    var row = DriverSessionResponse()
    var filler = SessionRefusal()
    filler.message = Self.filler
    row.event = .refusal(filler)
    let id = try Identifier.parse(driver.id, kind: IDKind.driver)
    try await publish(row.encoded(), on: world.core.driverTopic(id), world)
    let ended = await refusal { while try await call.responses.next() != nil {} }
    #expect(ended == Refusal(.resourceExhausted, "SLOW_READER"))
  }

  @Test func `ends a ride's chat, which goes on from its last token without a gap`() async throws {
    let world = try await world()
    let (rider, _, ride) = try await world.rideAssigned()
    let slow = try await rider.rides.enterChat(ride.id)
    let first = try await slow.responses.next()?.frame
    var token = first?.resumeToken ?? ""
    guard case .joined(let joined)? = first?.frame else {
      Issue.record("the first frame is `joined`")
      return
    }
    let room = try Identifier.parse(joined.roomID, kind: "room")
    for _ in 0..<Self.events {
      _ = try await world.database.write { [rooms = world.core.rooms] writer in
        try rooms.post(RoomMessage(.system, text: Self.filler), in: room, writer)
      }
    }
    var numbers: [Int64] = []
    func note(_ frame: ServerFrame?) {
      guard let frame, case .message(let message) = frame.frame else { return }
      numbers.append(message.number)
      token = frame.resumeToken
    }
    let ended = await refusal { while let row = try await slow.responses.next() { note(row.frame) } }
    #expect(ended == Refusal(.resourceExhausted, "SLOW_READER"))
    #expect(numbers.count < Self.events)
    let back = try await rider.rides.enterChat(ride.id, resumeToken: token)
    while numbers.last ?? 0 < Self.events, let row = try await back.responses.next() { note(row.frame) }
    #expect(numbers == (1...Self.events).map { Int64($0) })
  }
}
