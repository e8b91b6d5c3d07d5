import Base
import DomainKit
import IdentityAPI
import NotifyAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// Devices that are told of their user's affairs for as long as a session lasts.
@Suite struct PushSessionTests {
  private func register(_ client: Client) async throws {
    var request = RegisterPushRequest()
    request.requestID = newRequestID()
    request.address = "https://push.example/\(request.requestID)"
    _ = try await client.notifications.registerPush(request)
  }

  private func devices(_ house: House) async throws -> Int {
    try await house.count("SELECT COUNT(*) FROM notify_devices")
  }

  @Test func `a device goes with a session that nobody has refreshed for 60 days`() async throws {
    let house = try await House.open()
    let (ada, login) = try await house.signIn("ada")
    try await register(ada)
    let (eve, other) = try await house.signIn("eve")
    try await register(eve)
    house.clock.advance(by: SessionRow.idleLimit - .seconds(1))
    _ = try await house.client().refresh(other.refreshToken)
    func sweep() async throws {
      for sweep in house.identity.sweeps where sweep.name == "idle sessions" {
        while try await sweep.step(house.database) {}
      }
    }
    let ended = "SELECT COUNT(*) FROM identity_sessions WHERE end_reason = \(SessionRow.EndReason.idle.rawValue)"
    try await sweep()
    #expect(try await devices(house) == 2)
    #expect(try await house.count(ended) == 0)
    house.clock.advance(by: .seconds(1))
    try await sweep()
    #expect(try await devices(house) == 1)
    #expect(try await house.count(ended) == 1)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    await house.close()
  }

  @Test func `a device that registers while its session ends is not left behind`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    for _ in 0..<20 {
      let client = house.client(try await house.client().login("ada").accessToken)
      house.statements.gather(2)
      async let registered = refusal { try await register(client) }
      try await client.logout()
      let answer = await registered
      #expect(answer == nil || answer == Refusal(.unauthenticated, "SESSION_ENDED"))
      #expect(try await devices(house) == 0)
    }
    await house.close()
  }
}
