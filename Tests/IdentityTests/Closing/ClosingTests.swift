import Base
import DomainKit
import Foundation
import GoogleRPC
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// A domain with something to settle, and with records of which it erases one at a time.
private final class Shelf: PersonalRecords {
  let name = "shelf"
  private let state = Locked(State())

  struct State {
    var blockers: [String] = []
    var left = 0
    var erased = 0
    var failures = 0
  }

  var erased: Int { state.withLock { $0.erased } }

  func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

  func blockers(of user: Identifier, in writer: any Writer) throws -> [String] { state.withLock { $0.blockers } }

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let (fails, hasMore) = state.withLock { state in
      if state.failures > 0 { return (true, false) }
      return (false, state.left > 0)
    }
    if fails { throw StorageError(.conflict, operation: "erase", message: "not now") }
    // Bodies run twice in tests: only what commits counts.
    writer.afterCommit { [state] in
      state.withLock { state in
        if state.left > 0 { state.left -= 1 }
        state.erased += 1
      }
    }
    return hasMore
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {}
}

@Suite struct ClosingTests {
  @Test func `a suspended account is closed by its password, and only the end of the suspension gives it back`()
    async throws
  {
    let house = try await House.open()
    let ada = try await house.prove("ada", .email("ada@example.org"))
    let user = try await ada.profile().userID
    _ = try await house.identity.ensureUser(
      handle: "mod", displayName: "Mod", password: House.password, roles: ["moderator", "support"])
    let moderator = house.client(try await house.client().login("mod").accessToken)
    func close(_ password: String = House.password, _ id: String = newRequestID()) async throws -> User {
      var request = CloseSuspendedAccountRequest()
      (request.requestID, request.loginName, request.password) = (id, "ada", password)
      return try await house.client().accounts.closeSuspendedAccount(request)
    }
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await close() }
    try await moderator.suspend(user)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await close("no such password") }
    let id = newRequestID()
    for _ in 0..<2 { #expect(try await close(House.password, id).state == .closing) }
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await close() }
    // Whoever was suspended does not get round it by closing.
    await expectRefusal(.permissionDenied, "ACCOUNT_SUSPENDED") { try await house.client().login("ada") }
    #expect(try await moderator.restore(user).state == .closing)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await moderator.restore(user) }
    #expect(try await house.client().login("ada").user?.state == .active)
    // And it is erased in the end.
    try await moderator.suspend(user)
    _ = try await close()
    try await house.advance(by: Self.fortnight)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await close() }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5") == 1)
    await house.close()
  }

  private static let fortnight = Duration.seconds(14 * 86_400)

  @Test func `what says how long closing takes says what it takes`() throws {
    let days = Closing.delay.components.seconds / 86_400
    let root = URL(filePath: #filePath).appending(path: "../../../..").standardized
    let service = "Protos/octet/identity/v1/account_service.proto"
    let texts = [
      (service, "after \(days) days it is erased"), (service, "Will be erased after \(days) days"),
      ("docs/guides/erasure.md", "waits for \(days) days"), ("docs/guides/erasure.md", "within the \(days) days"),
    ]
    for (file, words) in texts {
      #expect(try String(contentsOf: root.appending(path: file), encoding: .utf8).contains(words), "\(file)")
    }
    for words in AccountNotices.closing.words.values { #expect(words.text.hasPrefix("In \(days) "), "\(words.text)") }
  }

  @Test func `a closed account is out at once, and taken back by a login within 14 days`() async throws {
    let house = try await House.open()
    let (ada, login) = try await house.signIn("ada")
    let closed = try await ada.closeAccount()
    #expect(closed.state == .closing && closed.handle == "ada")
    #expect(closed.eraseTime.flatMap { Instant($0) } == house.clock.now() + Self.fortnight)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await ada.list() }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }

    try await house.advance(by: Self.fortnight - .milliseconds(1))
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client().login("ada", password: "something else 9")
    }
    let back = try await house.client().login("ada")
    #expect(back.user?.state == .new && back.user?.eraseTime == nil)
    try await house.advance(by: Self.fortnight)
    #expect(try await house.client().login("ada").user?.handle == "ada")
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    await house.close()
  }

  @Test func `after 14 days it is erased: its name is free, its owner a stranger`() async throws {
    let house = try await House.open()
    let (ada, login) = try await house.signIn("ada")
    try await ada.closeAccount()
    try await house.advance(by: Self.fortnight)
    let rows = try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5 AND LENGTH(sealing_key) = 0")
    #expect(rows == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_sessions") == 0)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada") }
    await expectRefusal(.notFound, "NOT_FOUND") { try await house.client().profile(of: login.user?.id ?? "") }
    let (root, _) = try await house.signIn("root_")
    try await house.identity.grantRole(handle: "root_", role: "admin")
    await expectRefusal(.notFound, "NOT_FOUND") { try await root.grant("ops", to: login.user?.id ?? "") }
    let other = try await house.client().register("ada")
    #expect(other.id != login.user?.id)
    let checks = try await house.identity.checkInvariants()
    #expect(checks.allSatisfy(\.holds) && checks.contains { $0.number == 6 })
    try await house.execute("UPDATE identity_users SET about = 'once a poet' WHERE state = 5", [])
    let broken = try await house.identity.checkInvariants().filter { !$0.holds }
    #expect(broken.map(\.number) == [6] && broken.flatMap(\.violations) == [login.user?.id ?? ""])
    await house.close()
  }

  @Test func `a login at the last instant comes too late, even before the job has run`() async throws {
    let house = try await House.open()
    let (ada, _) = try await house.signIn("ada")
    try await ada.closeAccount()
    house.clock.advance(by: Self.fortnight)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada") }
    await house.close()
  }

  @Test func `closing wants a fresh proof, and names what is open`() async throws {
    let house = try await House.open()
    let shelf = Shelf()
    house.kit.personalRecords.register(shelf)
    let (ada, _) = try await house.signIn("ada")
    shelf.set { $0.blockers = ["open_order", "money_left"] }
    let error = await expectRefusal(.failedPrecondition, "CLOSE_BLOCKED") { try await ada.closeAccount() }
    let info = error.details.lazy.compactMap { $0.unpack(ErrorInfo.self) }.first
    #expect(info?.metadata["blockers"] == "shelf.open_order,shelf.money_left")
    shelf.set { $0.blockers = [] }
    try await house.execute("UPDATE identity_sessions SET proved_at = proved_at - 901000000000", [])
    await expectRefusal(.failedPrecondition, "STEP_UP_REQUIRED") { try await ada.closeAccount() }
    try await ada.stepUp()
    #expect(try await ada.closeAccount().state == .closing)
    await house.close()
  }

  @Test func `the last admin cannot go`() async throws {
    let house = try await House.open()
    let (root, _) = try await house.signIn("root_")
    try await house.identity.grantRole(handle: "root_", role: "admin")
    await expectRefusal(.failedPrecondition, "CLOSE_BLOCKED") { try await root.closeAccount() }
    try await house.client().register("other")
    try await house.identity.grantRole(handle: "other", role: "admin")
    try await root.closeAccount()
    try await house.advance(by: Self.fortnight)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_grants WHERE revoked_at IS NULL") == 1)
    await house.close()
  }

  @Test func `what has become open meanwhile puts the erasure off by a day`() async throws {
    let house = try await House.open()
    let shelf = Shelf()
    house.kit.personalRecords.register(shelf)
    try await house.signIn("ada").client.closeAccount()
    shelf.set { $0.blockers = ["dispute"] }
    try await house.advance(by: Self.fortnight)
    #expect(shelf.erased == 0)
    shelf.set { $0.blockers = [] }
    try await house.advance(by: .seconds(86_399))
    #expect(shelf.erased == 0)
    try await house.advance(by: .seconds(1))
    #expect(shelf.erased > 0)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5") == 1)
    await house.close()
  }

  @Test func `a clock that steps back puts the erasure off, and does not lose it`() async throws {
    let house = try await House.open()
    try await house.signIn("ada").client.closeAccount()
    try await house.execute("UPDATE identity_users SET erases_at = erases_at + 5000000000 WHERE state = 4", [])
    try await house.advance(by: Self.fortnight)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5") == 0)
    try await house.advance(by: .seconds(5))
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5") == 1)
    await house.close()
  }

  @Test func `an erasure that fails half way goes on later, and no login comes between`() async throws {
    let house = try await House.open()
    let shelf = Shelf()
    house.kit.personalRecords.register(shelf)
    try await house.signIn("ada").client.closeAccount()
    shelf.set { state in
      state.left = 3
      state.failures = 1
    }
    try await house.advance(by: Self.fortnight)
    #expect(shelf.erased == 0)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada") }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 4") == 1)
    // Nor by the clock of a node that is behind.
    try await house.execute("UPDATE identity_users SET erases_at = erases_at + 5000000000", [])
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada") }
    try await house.execute("UPDATE identity_users SET erases_at = erases_at - 5000000000", [])
    // What has become open since the erasure began puts it off, and gives nothing back that is half gone.
    shelf.set { state in
      state.failures = 0
      state.blockers = ["dispute"]
    }
    try await house.advance(by: .seconds(60))
    #expect(shelf.erased == 0)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada") }
    shelf.set { $0.blockers = [] }
    try await house.advance(by: .seconds(86_400))
    #expect(shelf.erased == 4)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5") == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM octet_timers WHERE kind = 'identity.erase'") == 0)
    await house.close()
  }
}
