import Foundation
import GoogleRPC
import IdentityAPI
import RPC
import Refusals
import Testing

@testable import Identity

@Suite struct RegisterTests {
  @Test func `a new account can log in at once`() async throws {
    let house = try await House.open()
    let user = try await house.client().register("Ada_L", contact: .email("ada@example.org"))
    #expect(user.id.hasPrefix("user_"))
    #expect(user.handle == "Ada_L" && user.displayName == "Ada_L")
    #expect(user.state == .new && user.level == .none)
    let login = try await house.client().login("ada_l")
    #expect(login.user == user)
    await house.close()
  }

  @Test func `invariant 1: a handle belongs to one user, whatever its case and however many ask at once`() async throws
  {
    let house = try await House.open()
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for number in 0..<20 {
        group.addTask {
          do {
            try await house.client().register(number % 2 == 0 ? "Grace" : "gRACE")
            return nil
          } catch {
            return (error as? RPCError)?.refusal
          }
        }
      }
      return await group.reduce(into: [Refusal?]()) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 == nil }.count == 1)
    #expect(outcomes.filter { $0 == Refusal(.alreadyExists, "HANDLE_TAKEN") }.count == 19)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users") == 1)
    await house.close()
  }

  @Test(arguments: [
    ("short1x", "shorter"), ("password123", "common"), ("P4ssw0rd!!", "common"), ("aaaaaaaaaaaa", "different"),
    ("1234567890", "run"), ("qwertyuiop99", "run"), ("my name is ada_l", "handle"), ("ada.byron and more", "contact"),
    ("iloveyou2024", "common"),
  ])
  func `refuses a weak password and says what it lacks`(password: String, lack: String) async throws {
    let house = try await House.open()
    let error = await expectRefusal(.invalidArgument, "WEAK_PASSWORD") {
      try await house.client().register("ada_l", password: password, contact: .email("Ada.Byron@example.org"))
    }
    let violation = error.details.compactMap { $0.unpack(BadRequest.self) }.first?.fieldViolations.first
    #expect(violation?.field == "password")
    #expect(violation?.description.contains(lack) == true)
    await house.close()
  }

  @Test func `refuses malformed phone numbers, addresses and handles`() async throws {
    let house = try await House.open()
    for phone in ["0301234567", "+49", "+0123456789", "+49 30 abc"] {
      await expectRefusal(.invalidArgument, "BAD_PHONE_NUMBER") {
        try await house.client().register("ada", contact: .phone(phone))
      }
    }
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await house.client().register("ada", contact: .email("nobody"))
    }
    for handle in ["ab", "1ada", "ada lovelace", "adä", String(repeating: "a", count: 31)] {
      await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await house.client().register(handle) }
    }
    await house.close()
  }

  @Test func `invariant 5: registering with a known contact answers like with an unknown one`() async throws {
    let house = try await House.open()
    let first = try await house.client().register("first", contact: .email("ada@example.org"))
    try await house.execute("UPDATE identity_contacts SET proved_at = 1", [])
    let before = house.passwords.invocations
    let known = try await house.client().register("second", contact: .email("ADA@example.org"))
    let unknown = try await house.client().register("thirdd", contact: .email("eve@example.org"))
    #expect(house.passwords.invocations == before + 2)
    #expect(known.state == unknown.state && known.level == unknown.level && known.id != first.id)
    // The contact still belongs to the one who proved it, and to nobody else.
    #expect(try await house.client().login("ada@example.org").user?.handle == "first")
    await house.close()
  }

  @Test func `invariant 1: a proved contact belongs to one user`() async throws {
    let house = try await House.open()
    try await house.client().register("first", contact: .phone("+49 30 1234567"))
    try await house.client().register("second", contact: .phone("+49301234567"))
    await #expect(throws: (any Error).self) {
      try await house.execute("UPDATE identity_contacts SET proved_at = 1", [])
    }
    await house.close()
  }

  @Test func `the same request_id gets the same reply, another body is refused`() async throws {
    let house = try await House.open()
    let id = newRequestID()
    let first = try await house.client().register("ada", requestID: id)
    #expect(try await house.client().register("ada", requestID: id) == first)
    await expectRefusal(.alreadyExists, "REQUEST_ID_REUSED") {
      try await house.client().register("ada", password: "another good password", requestID: id)
    }
    // A refusal is not remembered: the id is free for another try.
    let retried = newRequestID()
    await expectRefusal(.alreadyExists, "HANDLE_TAKEN") {
      try await house.client().register("ADA", requestID: retried)
    }
    #expect(try await house.client().register("grace", requestID: retried).handle == "grace")
    await house.close()
  }

  @Test func `invariant 4: passwords, tokens and contacts are nowhere stored in clear`() async throws {
    let house = try await House.open()
    let device = try DeviceKey("phone")
    try await house.client().register("ada", contact: .email("secret.mail@example.org"))
    try await house.client().register("eve", contact: .phone("+493055512345"))
    let login = try await house.client().login("ada", device: device)
    let renewed = try await house.client().refresh(login.refreshToken)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().login("ada", password: "wrong but secret")
    }
    let disk = try await house.bytesOnDisk()
    #expect(disk.range(of: Data("identity_users".utf8)) != nil)
    let secrets = [
      House.password, "wrong but secret", "secret.mail@example.org", "+493055512345", login.accessToken,
      login.refreshToken, renewed.accessToken, renewed.refreshToken,
    ]
    for secret in secrets { #expect(disk.range(of: Data(secret.utf8)) == nil, "\(secret) is on disk") }
    await house.close()
  }
}
