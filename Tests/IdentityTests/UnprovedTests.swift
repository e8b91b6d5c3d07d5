import Base
import DomainKit
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// Accounts that do not prove a contact.
@Suite struct UnprovedTests {
  private func sweep(_ house: House) async throws {
    for sweep in house.identity.sweeps { while try await sweep.step(house.database) {} }
    try await house.timers.runDue()
  }

  @Test func `an account that proves no contact within seven days is dropped, and its handle is free`() async throws {
    let house = try await House.open()
    try await house.client().register("lazy", contact: .email("lazy@example.org"))
    _ = try await house.prove("ada", .email("ada@example.org"))
    // The server's own stay.
    try await house.identity.ensureUser(handle: "made", displayName: "Made", password: House.password)
    house.clock.advance(by: UnprovedAccounts.patience - .seconds(1))
    try await sweep(house)
    let lazy = house.client(try await house.client().login("lazy").accessToken)
    #expect(try await lazy.profile().handle == "lazy")
    house.clock.advance(by: .seconds(1))
    try await sweep(house)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await lazy.sendCode(.email("lazy@example.org")) }
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("lazy") }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5") == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_contacts") == 1)
    try await house.client().register("lazy")
    for handle in ["ada", "made", "lazy"] { _ = try await house.client().login(handle) }
    for report in try await house.identity.checkInvariants() { #expect(report.holds, "\(report)") }
    await house.close()
  }

  @Test func `who was suspended or had closed the account gets the seven days again`() async throws {
    let house = try await House.open()
    try await house.identity.ensureUser(
      handle: "mod", displayName: "Mod", password: House.password, roles: ["moderator"])
    let barred = try await house.client().register("barred")
    let (closer, _) = try await house.signIn("closer")
    let moderator = house.client(try await house.client().login("mod").accessToken)
    try await moderator.suspend(barred.id)
    _ = try await closer.closeAccount()
    house.clock.advance(by: UnprovedAccounts.patience)
    try await sweep(house)
    let later = house.client(try await house.client().login("mod").accessToken)
    #expect(try await later.restore(barred.id).state == .new)
    #expect(try await house.client().login("closer").user?.state == .new)
    try await sweep(house)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 1") == 3)
    house.clock.advance(by: UnprovedAccounts.patience)
    try await sweep(house)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 5") == 2)
    await house.close()
  }

  @Test func `codes go with their account`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", .email("ada@example.org"))
    try await ada.sendCode(for: .stepUp(.email))
    try await ada.sendCode(.phone("+358401234567"))
    try await house.client().sendResetCode(email: "ada@example.org")
    #expect(try await house.count("SELECT COUNT(*) FROM identity_codes") == 4)
    // Erased at once, though codes would end by themselves meanwhile.
    let id = try await house.database.read { reader in
      try UserRow.find(handleKey: "ada", in: reader)?.id ?? Identifier(rawValue: 0)
    }
    let records = try #require(house.identity.personalRecords)
    while try await house.database.write({ try records.erase(id, in: $0) }) {}
    #expect(try await house.count("SELECT COUNT(*) FROM identity_codes") == 0)
    // What was sent to a number that was never proved is a keyed hash, and goes within the hour.
    #expect(try await house.count("SELECT COUNT(*) FROM identity_code_sends") == 1)
    #expect(try await house.letters().count == 1)
    await house.close()
  }
}
