import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// Calls that end what their own caller needs.
@Suite struct EndingTests {
  @Test func `what is known of a session is forgotten a month after its end, and its token stays spent`() async throws {
    let house = try await House.open()
    let (_, login) = try await house.signIn("ada")
    // Of one that ends later all is there still.
    _ = try await house.signIn("eve")
    try await house.client(login.accessToken).logout()
    func rows() async throws -> Int {
      for sweep in house.identity.sweeps { while try await sweep.step(house.database) {} }
      return try await house.count("SELECT COUNT(*) FROM identity_sessions")
    }
    house.clock.advance(by: IdentityLimits().endedSessionKept - .nanoseconds(1))
    #expect(try await rows() == 2)
    house.clock.advance(by: .nanoseconds(1))
    #expect(try await rows() == 1)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    await house.close()
  }

  private typealias Ending = @Sendable (Client, LoginResponse, _ requestID: String) async throws -> String

  @Test func `whoever ends the own session is answered alike once more, and may do nothing new`() async throws {
    let house = try await House.open()
    let endings: [String: Ending] = [
      "logout": { client, _, id in
        try await client.logout(requestID: id)
        return ""
      },
      "end": { client, login, id in "\(try await client.end(login.session?.id ?? "", requestID: id))" },
      "end_all": { client, _, id in "\(try await client.endAll(keepCurrent: false, requestID: id))" },
      "close": { client, _, id in "\(try await client.closeAccount(requestID: id))" },
    ]
    for (name, end) in endings {
      let (client, login) = try await house.signIn(name)
      let id = newRequestID()
      let reply = try await end(client, login, id)
      #expect(try await end(client, login, id) == reply, "\(name)")
      await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await end(client, login, newRequestID()) }
      await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await client.stepUp(requestID: id) }
      // The request_id of somebody else opens nothing.
      let (other, own) = try await house.signIn("\(name)_other")
      try await other.logout()
      await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await end(other, own, id) }
    }
    await house.close()
  }

  @Test func `whoever takes the own role is answered alike once more`() async throws {
    let house = try await House.open()
    for handle in ["root_", "other_"] {
      try await house.client().register(handle)
      try await house.identity.grantRole(handle: handle, role: "admin")
    }
    let client = house.client(try await house.client().login("root_").accessToken)
    let grant = try #require(try await client.grants().first).id
    let id = newRequestID()
    let revoked = try await client.revoke(grant, requestID: id)
    #expect(try await client.revoke(grant, requestID: id) == revoked && revoked.revokeTime != nil)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await client.revoke(grant) }
    await house.close()
  }
}
