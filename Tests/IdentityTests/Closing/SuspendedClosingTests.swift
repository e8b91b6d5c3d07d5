import Base
import DomainKit
import GoogleRPC
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Identity

/// Closing an account by name and password takes no less than logging in.
@Suite struct SuspendedClosingTests {
  private static let method = "octet.identity.v1.AccountService/CloseSuspendedAccount"
  private static let login = "octet.identity.v1.SessionService/Login"

  /// Somebody who is suspended.
  private func house() async throws -> (House, user: Identifier) {
    let house = try await House.open()
    let (_, login) = try await house.signIn("ada")
    _ = try await house.identity.ensureUser(
      handle: "mod", displayName: "Mod", password: House.password, roles: ["moderator"])
    let id = login.user?.id ?? ""
    try await house.client(try await house.client().login("mod").accessToken).suspend(id)
    return (house, try Identifier.parse(id, kind: "user"))
  }

  private func close(_ house: House, _ password: String, solution: String? = nil) async throws -> User {
    var request = CloseSuspendedAccountRequest()
    (request.requestID, request.loginName, request.password) = (newRequestID(), "ada", password)
    return try await house.client(solution: solution).accounts.closeSuspendedAccount(request)
  }

  /// Guesses wrong by both ways in turn.
  private func guess(_ house: House, _ count: Int) async throws {
    for number in 0..<count {
      let isLogin = number % 2 == 0
      let solution =
        number < LoginThrottle.slowAfter
        ? nil : try await house.solve(isLogin ? Self.login : Self.method)
      await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
        if isLogin {
          _ = try await house.client(solution: solution).login("ada", password: "something else")
        } else {
          _ = try await close(house, "something else", solution: solution)
        }
      }
    }
  }

  @Test func `its failures are counted with those of logins, and it asks for a challenge of its own`() async throws {
    let (house, _) = try await house()
    try await guess(house, LoginThrottle.slowAfter)
    let error = await expectRefusal(.failedPrecondition, "CHALLENGE_REQUIRED") {
      try await close(house, House.password)
    }
    #expect(error.details.compactMap { $0.unpack(ErrorInfo.self) }.first?.metadata["method"] == Self.method)
    let ofLogin = try await house.solve(Self.login)
    await expectRefusal(.failedPrecondition, "CHALLENGE_REQUIRED") {
      try await close(house, House.password, solution: ofLogin)
    }
    #expect(try await close(house, House.password, solution: try await house.solve(Self.method)).state == .closing)
    await house.close()
  }

  @Test func `ten failures bar it like logins`() async throws {
    let (house, _) = try await house()
    try await guess(house, LoginThrottle.barAfter)
    let error = await expectRefusal(.resourceExhausted, "RATE_LIMITED") {
      try await close(house, House.password, solution: try await house.solve(Self.method))
    }
    #expect(error.details.compactMap { $0.unpack(RetryInfo.self) }.first?.retryDelay?.seconds == 900)
    house.clock.advance(by: LoginThrottle.bar)
    #expect(try await close(house, House.password).state == .closing)
    await house.close()
  }

  @Test func `what must be settled is in its way`() async throws {
    let (house, user) = try await house()
    let people = house.identity.people
    let store = SubjectID("store", Identifier(rawValue: 7))
    try await house.database.write { try people.grant("shop.owner", to: user, on: store, in: $0) }
    let error = await expectRefusal(.failedPrecondition, "CLOSE_BLOCKED") { try await close(house, House.password) }
    let info = error.details.compactMap { $0.unpack(ErrorInfo.self) }.first
    #expect(info?.metadata["blockers"] == "identity.last_owner")
    await house.close()
  }
}
