import Base
import GoogleRPC
import IdentityAPI
import RPC
import Refusals
import Testing
import WellKnownTypes

@testable import Identity

@Suite struct LoginTests {
  @Test func `invariant 5: known and unknown names fail alike, with the same work`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let start = house.passwords.invocations
    let known = await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().login("ada", password: "something else")
    }
    let afterKnown = house.passwords.invocations
    let unknown = await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().login("nobody", password: "something else")
    }
    #expect(known == unknown)
    #expect(afterKnown - start == 1 && house.passwords.invocations - afterKnown == 1)
    await house.close()
  }

  @Test func `many guesses at once are not as many free ones`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let hashed = house.passwords.invocations
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<100 {
        group.addTask { _ = try? await house.client().login("ada", password: "something else") }
      }
    }
    #expect(house.passwords.invocations - hashed == 5)
    await house.close()
  }

  @Test func `ten failures bar unknown devices for 15 minutes, and never the owner's own`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let own = try DeviceKey("Ada's phone")
    #expect(try await house.client().login("ada", device: own).session?.knownDevice == false)
    let strange = try DeviceKey("a stranger's")
    for failure in 0..<10 {
      let solution =
        failure < LoginThrottle.slowAfter
        ? nil : try await house.solve("octet.identity.v1.SessionService/Login", device: strange)
      await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
        try await house.client(solution: solution).login("ada", password: "something else", device: strange)
      }
    }
    house.clock.advance(by: .seconds(60))
    let error = await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await house.client().login("ada") }
    #expect(error.details.compactMap { $0.unpack(RetryInfo.self) }.first?.retryDelay?.seconds == 840)
    let login = try await house.client().login("ada", device: own)
    #expect(login.session?.knownDevice == true && login.session?.deviceName == "Ada's phone")
    house.clock.advance(by: .seconds(14 * 60))
    _ = try await house.client().login("ada")
    await house.close()
  }

  @Test func `refuses a device whose signature does not fit`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    var request = LoginRequest()
    request.requestID = newRequestID()
    request.loginName = "ada"
    request.password = House.password
    request.device = try DeviceKey("phone").proof(of: newRequestID())
    await expectRefusal(.permissionDenied, "BAD_SIGNATURE") { try await house.client().sessions.login(request) }
    request.device?.publicKey = []
    await expectRefusal(.permissionDenied, "BAD_SIGNATURE") { try await house.client().sessions.login(request) }
    await house.close()
  }

  @Test func `a suspended account is told so only after the right password`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let token = try await house.client().login("ada")
    try await house.execute("UPDATE identity_users SET state = 3", [])
    await expectRefusal(.permissionDenied, "ACCOUNT_SUSPENDED") { try await house.client().login("ada") }
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().login("ada", password: "something else")
    }
    await expectRefusal(.permissionDenied, "ACCOUNT_SUSPENDED") {
      try await house.client().refresh(token.refreshToken)
    }
    await expectRefusal(.permissionDenied, "ACCOUNT_SUSPENDED") {
      try await house.client(token.accessToken).logout()
    }
    await house.close()
  }

  @Test func `the same request_id gets the same session and tokens, and still needs the password`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let id = newRequestID()
    let first = try await house.client().login("ada", requestID: id)
    house.clock.advance(by: .seconds(3))
    // Repeats count as attempts that succeeded, however many there are.
    for _ in 0..<6 { #expect(try await house.client().login("ada", requestID: id) == first) }
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().login("ada", password: "something else", requestID: id)
    }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_sessions") == 1)
    await house.close()
  }

  @Test func `the twenty-first session ends the oldest`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    var logins: [LoginResponse] = []
    let limit = IdentityLimits().sessions
    for _ in 0...limit {
      logins.append(try await house.client().login("ada"))
      house.clock.advance(by: .seconds(1))
    }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") {
      try await house.client().refresh(logins[0].refreshToken)
    }
    _ = try await house.client().refresh(logins[1].refreshToken)
    #expect(try await house.client(logins[limit].accessToken).list().sessions.count == limit)
    await house.close()
  }
}
