import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Testing
import WellKnownTypes

@testable import Identity

/// Setting a new password without the old one.
@Suite struct ResetTests {
  private static let newPassword = "ninety purple elephants"
  private static let mail = "ada@example.org"

  @Test func `a code sets a new password and ends all sessions`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", .email(Self.mail))
    let other = try await house.client().login("ada")
    let sent = try await house.client().sendResetCode(email: "ADA@example.org")
    #expect(sent.expireTime == Timestamp(house.clock.now() + .seconds(1800)))
    let code = try await house.code(to: Self.mail)
    #expect(code.count == 20)
    await expectRefusal(.permissionDenied, "WRONG_CODE") {
      try await house.client().reset(email: Self.mail, code: "ABCDE", to: Self.newPassword)
    }
    // The code stays good when the password is not.
    for weak in ["short", "ada and others", "ada@example.org"] {
      func reset() async throws -> Int32 { try await house.client().reset(email: Self.mail, code: code, to: weak) }
      await expectRefusal(.invalidArgument, "WEAK_PASSWORD") { try await reset() }
      #expect(await badFields { try await reset() } == ["new_password"])
    }
    let id = newRequestID()
    let typed = "\(code.prefix(10).lowercased())-\(code.suffix(10))"
    for _ in 0..<2 {
      #expect(
        try await house.client().reset(email: Self.mail, code: typed, to: Self.newPassword, requestID: id) == 2)
    }
    await expectRefusal(.failedPrecondition, "CODE_EXPIRED") {
      try await house.client().reset(email: Self.mail, code: code, to: "another good password")
    }
    for client in [ada, house.client(other.accessToken)] {
      await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await client.list() }
    }
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada") }
    _ = try await house.client().login(Self.mail, password: Self.newPassword)
    await house.close()
  }

  @Test(arguments: ["ada@example.org", "claimed@example.org", "nobody@example.org"])
  func `five wrong codes end it for known and unknown contacts alike`(email: String) async throws {
    let house = try await House.open()
    _ = try await house.prove("ada", .email(Self.mail))
    // Claiming a contact gives nothing.
    try await house.client().register("claimer", contact: .email("claimed@example.org"))
    let stranger = house.client()
    await expectRefusal(.failedPrecondition, "CODE_EXPIRED") {
      try await stranger.reset(email: email, code: "ABCDE", to: Self.newPassword)
    }
    try await stranger.sendResetCode(email: email)
    let letters = try await house.letters().filter { $0.kind == "identity.reset_code" }
    #expect(letters.map(\.address) == (email == Self.mail ? [email] : []))
    await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await stranger.sendResetCode(email: email) }
    for _ in 0..<5 {
      await expectRefusal(.permissionDenied, "WRONG_CODE") {
        try await stranger.reset(email: email, code: "ABCDE", to: Self.newPassword)
      }
    }
    await expectRefusal(.resourceExhausted, "TOO_MANY_ATTEMPTS") {
      try await stranger.reset(email: email, code: "ABCDE", to: Self.newPassword)
    }
    house.clock.advance(by: .seconds(1800))
    await expectRefusal(.failedPrecondition, "CODE_EXPIRED") {
      try await stranger.reset(email: email, code: "ABCDE", to: Self.newPassword)
    }
    await house.close()
  }

  @Test func `acceptance 1, invariant 5: known and unknown contacts are the same work, statement by statement`()
    async throws
  {
    let house = try await House.open()
    _ = try await house.prove("ada", .email(Self.mail))
    let stranger = house.client()
    /// What a call runs, and how often it hashes a password.
    func work(_ call: () async throws -> Void) async throws -> ([String], Int) {
      let before = house.passwords.invocations
      _ = house.statements.take()
      try await call()
      return (house.statements.take(), house.passwords.invocations - before)
    }
    var calls: [String: (String) async throws -> Void] = [:]
    calls["register"] = { email in
      _ = try await stranger.register(email == Self.mail ? "second" : "thirdd", contact: .email(email))
    }
    calls["send"] = { _ = try await stranger.sendResetCode(email: $0) }
    calls["reset"] = { email in
      #expect(
        await refusal { try await stranger.reset(email: email, code: "ABCDE", to: Self.newPassword) }
          == Refusal(.permissionDenied, "WRONG_CODE"))
    }
    calls["login"] = { email in
      #expect(
        await refusal { try await stranger.login(email, password: "something else") }
          == Refusal(.unauthenticated, "WRONG_CREDENTIALS"))
    }
    for name in ["register", "send", "reset", "login"] {
      let call = try #require(calls[name])
      let known = try await work { try await call(Self.mail) }
      let unknown = try await work { try await call("nobody@example.org") }
      #expect(known == unknown, "\(name)")
      #expect(known.0.count >= 3 && known.1 == (["register", "login"].contains(name) ? 1 : 0), "\(name)")
    }
    let known = try await house.client().sendResetCode(email: "known@example.org")
    #expect(try await house.client().sendResetCode(email: "unknown@example.org") == known)
    await house.close()
  }
}
