import Base
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

@Suite struct RepeatTests {
  /// How many of a driver's requests are kept for ever.
  private func kept(of driver: TestDriver, in world: RidesWorld) async throws -> Int64? {
    try await world.database.read { [user = driver.user] reader in
      try reader.first("SELECT COUNT(*) FROM octet_requests_kept WHERE caller = $1", user) { $0[0] }
    }
  }

  @Test func `of a session's frames those that book something are recognised for ever, the others for a while`()
    async throws
  {
    let world = try await RidesWorld()
    let (driver, requestID) = (try await TestDriver.online(world), newRequestID())
    _ = try await TestRider(world).requestRide()
    try await world.match()
    let offer = try await driver.offer()
    var decline = DeclineOffer()
    decline.offerID = offer.id
    let first = try await driver.send(.decline(decline), requestID: requestID)
    #expect(first.refusalReason == nil)
    try await driver.goOffline()
    try await driver.goOnline()
    #expect(try await kept(of: driver, in: world) == 0)
    #expect(try await driver.send(.decline(decline), requestID: requestID) == first)
    #expect(try await driver.accept(offer, requestID: requestID).refusalReason == "REQUEST_ID_REUSED")
  }

  @Test func `the id of what is kept for ever is good for nothing else`() async throws {
    let world = try await RidesWorld()
    let (driver, requestID) = (try await TestDriver.online(world), newRequestID())
    _ = try await TestRider(world).requestRide()
    try await world.match()
    let offer = try await driver.offer()
    let first = try await driver.accept(offer, requestID: requestID)
    #expect(first.refusalReason == nil)
    #expect(try await kept(of: driver, in: world) == 1)
    #expect(try await driver.send(.goOffline(GoOffline()), requestID: requestID).refusalReason == "REQUEST_ID_REUSED")
    #expect(try await driver.accept(offer, requestID: requestID) == first)
  }
}
