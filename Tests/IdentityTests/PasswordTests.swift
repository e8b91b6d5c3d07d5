import Base
import IdentityAPI
import RPC
import Refusals
import Testing

@testable import Identity

/// Proving and changing the password of an account that one is signed in to.
@Suite struct PasswordTests {
  private static let newPassword = "ninety purple elephants"

  @Test func `a change of rights wants a fresh proof, and a step-up gives it to its own session alone`() async throws {
    let house = try await House.open()
    for handle in ["root_", "ada"] { try await house.client().register(handle) }
    try await house.identity.grantRole(handle: "root_", role: "admin")
    let ada = try await house.client().login("ada").user?.id ?? ""
    let first = try await house.client().login("root_")
    let second = try await house.client().login("root_")
    // The access tokens live for less than a proof is fresh.
    house.clock.advance(by: IdentityCore.freshProof + .seconds(1))
    let one = house.client(try await house.client().refresh(first.refreshToken).accessToken)
    let two = house.client(try await house.client().refresh(second.refreshToken).accessToken)
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") { try await one.grant("ops", to: ada) }
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await one.stepUp("not the password") }
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") { try await one.grant("ops", to: ada) }
    let session = try await one.stepUp()
    #expect(session.id == first.session?.id && session.current)
    #expect(session.proofTime != first.session?.proofTime)
    #expect(try await one.grant("ops", to: ada).role == "ops")
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") { try await two.grant("support", to: ada) }
    await house.close()
  }

  @Test func `guesses are slowed down by session, and leave the owner's login alone`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let thief = house.client(login.accessToken)
    for _ in 0..<LoginThrottle.slowAfter {
      await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await thief.stepUp("guess") }
    }
    await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await thief.stepUp() }
    await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await thief.changePassword(to: Self.newPassword) }
    _ = try await house.client().login("ada")
    house.clock.advance(by: LoginThrottle.pause)
    try await thief.stepUp()
    await house.close()
  }

  @Test func `a changed password ends all other sessions, and the old one is good for nothing`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let other = try await house.client().login("ada")
    let mine = try await house.client().login("ada")
    let client = house.client(mine.accessToken)
    let id = newRequestID()
    #expect(try await client.changePassword(to: Self.newPassword, requestID: id) == 1)
    // A repeat gets its reply, though what it calls the old password is wrong by now.
    #expect(try await client.changePassword(to: Self.newPassword, requestID: id) == 1)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { _ = try await house.client(other.accessToken).list() }
    #expect(try await client.list().sessions.map(\.id) == [mine.session?.id])
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { _ = try await house.client().login("ada") }
    _ = try await house.client().login("ada", password: Self.newPassword)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await client.changePassword(to: "another good password")
    }
    await house.close()
  }

  @Test(arguments: ["short", "ada and others", "lovelace@home 1815"])
  func `a weak new password is refused, and nothing changes`(weak: String) async throws {
    let house = try await House.open()
    try await house.client().register("ada", contact: .email("lovelace@example.com"))
    let client = house.client(try await house.client().login("ada").accessToken)
    await expectRefusal(.invalidArgument, "WEAK_PASSWORD") { try await client.changePassword(to: weak) }
    _ = try await house.client().login("ada")
    await house.close()
  }

  @Test func `of two changes at once one wins, and the other's password is not the account's`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let client = house.client(try await house.client().login("ada").accessToken)
    let passwords = (0..<4).map { "purple elephants number \($0)" }
    let winners = await withTaskGroup(of: String?.self) { group in
      for password in passwords {
        group.addTask { (try? await client.changePassword(to: password)).map { _ in password } }
      }
      return await group.reduce(into: [String]()) { if let winner = $1 { $0.append(winner) } }
    }
    #expect(winners.count == 1)
    for password in passwords {
      let fits = (try? await house.client().login("ada", password: password)) != nil
      #expect(fits == winners.contains(password))
    }
    await house.close()
  }
}
