import Base
import DomainKit
import Foundation
import GoogleRPC
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Identity

/// Codes that prove contacts and step sessions up.
@Suite struct CodeTests {
  private static let mail = RegisterRequest.Contact.email("ada@example.org")

  @Test func `a code proves a contact, which replaces the one before`() async throws {
    let house = try await House.open()
    try await house.client().register("ada", contact: .email("Ada@Example.org"))
    let ada = house.client(try await house.client().login("ada").accessToken)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada@example.org") }
    let sent = try await ada.sendCode(.email("Ada@Example.org"))
    let now = house.clock.now()
    #expect(sent.expireTime == Timestamp(now + .seconds(600)) && sent.resendTime == Timestamp(now + .seconds(60)))
    let letter = try #require(try await house.letters().first)
    #expect(letter.address == "ada@example.org" && letter.way == "mail" && letter.kind == "identity.code")
    #expect(letter.key == letter.notice + ".mail" && letter.notice.hasPrefix("code_"))
    let code = try await house.code(to: "ada@example.org")
    #expect(letter.text.contains(code) && code.count == 6)
    let user = try await ada.confirm(Self.mail, code: code)
    #expect(user.state == .active && user.level == .contact && user.handle == "ada")
    #expect(try await house.client().login("ADA@example.org").user?.id == user.id)

    try await house.prove(.email("lovelace@example.org"), by: ada)
    #expect(try await house.client().login("lovelace@example.org").user?.id == user.id)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") { try await house.client().login("ada@example.org") }
    try await house.prove(.phone("+358401234567"), by: ada)
    #expect(try await house.client().login("+358401234567").user?.id == user.id)
    #expect(try await house.letters().last { $0.kind == "identity.code" }?.way == "sms")
    #expect(try await house.count("SELECT COUNT(*) FROM identity_contacts WHERE proved_at IS NOT NULL") == 2)
    for report in try await house.identity.checkInvariants() { #expect(report.holds, "\(report)") }
    await house.close()
  }

  @Test(arguments: [4, 5])
  func `acceptance 3, invariant 3: after four wrong codes the right one works once, after five it does not`(
    wrong: Int
  ) async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let ada = house.client(try await house.client().login("ada").accessToken)
    await expectRefusal(.failedPrecondition, "CODE_EXPIRED") { try await ada.confirm(Self.mail, code: "123456") }
    try await ada.sendCode(Self.mail)
    let code = try await house.code(to: Self.mail.address)
    for number in 0..<wrong {
      let guess = String(code.reversed().map { $0 == "9" ? "0" : "9" }) + "\(number)"
      await expectRefusal(.permissionDenied, "WRONG_CODE") { try await ada.confirm(Self.mail, code: guess) }
    }
    if wrong < 5 {
      // For another address it is no code at all, and the try costs nothing.
      await expectRefusal(.failedPrecondition, "CODE_EXPIRED") {
        try await ada.confirm(.email("eve@example.org"), code: code)
      }
      try await ada.confirm(Self.mail, code: " \(code.prefix(3)) \(code.suffix(3))")
      await expectRefusal(.failedPrecondition, "CODE_EXPIRED") { try await ada.confirm(Self.mail, code: code) }
    } else {
      await expectRefusal(.resourceExhausted, "TOO_MANY_ATTEMPTS") { try await ada.confirm(Self.mail, code: code) }
      house.clock.advance(by: CodeLimit.pause)
      try await house.prove(Self.mail, by: ada)
    }
    await house.close()
  }

  @Test func `many guesses at once are not as many free ones`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let ada = house.client(try await house.client().login("ada").accessToken)
    try await ada.sendCode(Self.mail)
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for number in 0..<50 {
        group.addTask { await refusal { try await ada.confirm(Self.mail, code: "\(number)") } }
      }
      return await group.reduce(into: [Refusal?]()) { $0.append($1) }
    }
    #expect(outcomes.count { $0 == Refusal(.permissionDenied, "WRONG_CODE") } == 5)
    #expect(outcomes.count { $0 == Refusal(.resourceExhausted, "TOO_MANY_ATTEMPTS") } == 45)
    await house.close()
  }

  @Test func `of one code used many times at once it serves once`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let ada = house.client(try await house.client().login("ada").accessToken)
    try await ada.sendCode(Self.mail)
    let code = try await house.code(to: Self.mail.address)
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for _ in 0..<10 { group.addTask { await refusal { try await ada.confirm(Self.mail, code: code) } } }
      return await group.reduce(into: [Refusal?]()) { $0.append($1) }
    }
    #expect(outcomes.count { $0 == nil } == 1)
    #expect(outcomes.count { $0 == Refusal(.failedPrecondition, "CODE_EXPIRED") } == 9)
    await house.close()
  }

  @Test func `codes end after ten minutes, and a newer one kills the older`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let ada = house.client(try await house.client().login("ada").accessToken)
    try await ada.sendCode(Self.mail)
    let first = try await house.code(to: Self.mail.address)
    let error = await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await ada.sendCode(Self.mail) }
    #expect(error.details.compactMap { $0.unpack(RetryInfo.self) }.first?.retryDelay?.seconds == 60)
    house.clock.advance(by: CodeLimit.pause)
    // Not sent yet, and replaced before it went: one letter goes out.
    try await ada.sendCode(.email("other@example.org"))
    house.clock.advance(by: CodeLimit.pause)
    try await ada.sendCode(Self.mail)
    #expect(try await house.letters().map(\.address) == [Self.mail.address, Self.mail.address])
    let second = try await house.code(to: Self.mail.address)
    await expectRefusal(.permissionDenied, "WRONG_CODE") { try await ada.confirm(Self.mail, code: first) }
    house.clock.advance(by: CodePurpose.contact.lifetime)
    let later = house.client(try await house.client().login("ada").accessToken)
    await expectRefusal(.failedPrecondition, "CODE_EXPIRED") { try await later.confirm(Self.mail, code: second) }
    await house.close()
  }

  @Test func `five codes an hour go to one address, whoever asks, and five by one user`() async throws {
    let house = try await House.open()
    var clients: [Client] = []
    for number in 0..<6 {
      let handle = "user\(number)"
      try await house.client().register(handle)
      clients.append(house.client(try await house.client().login(handle).accessToken))
    }
    for client in clients.prefix(5) {
      try await client.sendCode(Self.mail)
      house.clock.advance(by: CodeLimit.pause)
    }
    let error = await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await clients[5].sendCode(Self.mail) }
    #expect(error.details.compactMap { $0.unpack(RetryInfo.self) }.first?.retryDelay?.seconds == 3300)
    for number in 0..<5 { try await clients[5].sendCode(.email("stranger\(number)@example.org")) }
    await expectRefusal(.resourceExhausted, "RATE_LIMITED") {
      try await clients[5].sendCode(.email("stranger5@example.org"))
    }
    try await clients[5].sendCode(.phone("+358401234567"))
    house.clock.advance(by: .seconds(3600))
    let later = house.client(try await house.client().login("user5").accessToken)
    try await later.sendCode(Self.mail)
    // What is over goes.
    while try await CodeRetention(clock: house.clock).step(house.database) {}
    #expect(try await house.count("SELECT COUNT(*) FROM identity_codes") == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_code_sends") == 2)
    await house.close()
  }

  @Test func `invariant 1: a contact belongs to whoever proved it last, however many prove it at once`() async throws {
    let house = try await House.open()
    let first = try await house.prove("first", Self.mail)
    var rivals: [(client: Client, code: String)] = []
    for number in 0..<4 {
      try await house.client().register("rival\(number)")
      let client = house.client(try await house.client().login("rival\(number)").accessToken)
      house.clock.advance(by: CodeLimit.pause)
      try await client.sendCode(Self.mail)
      rivals.append((client, try await house.code(to: Self.mail.address)))
    }
    await withTaskGroup(of: Void.self) { group in
      for (client, code) in rivals {
        group.addTask { _ = await refusal { try await client.confirm(Self.mail, code: code) } }
      }
    }
    #expect(try await house.count("SELECT COUNT(*) FROM identity_contacts WHERE proved_at IS NOT NULL") == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE level = 2") == 1)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE state = 2") == 5)
    #expect(try await house.client().login(Self.mail.address).user?.handle.hasPrefix("rival") == true)
    for report in try await house.identity.checkInvariants() { #expect(report.holds, "\(report)") }
    // The one who lost it can prove another.
    try await house.prove(.email("first@example.org"), by: first)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE level = 2") == 2)
    await house.close()
  }

  @Test func `a code steps a session up, and serves nothing else`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.sendCode(for: .stepUp(.phone)) }
    house.clock.advance(by: .seconds(300))
    try await ada.sendCode(for: .stepUp(.email))
    let code = try await house.code(to: Self.mail.address)
    await expectRefusal(.failedPrecondition, "CODE_EXPIRED") { try await ada.confirm(Self.mail, code: code) }
    await expectRefusal(.permissionDenied, "WRONG_CODE") { try await ada.stepUp(code: "none") }
    let id = newRequestID()
    let session = try await ada.stepUp(code: code, requestID: id)
    #expect(session.proofTime == Timestamp(house.clock.now()) && session.current)
    // A repeat gets its reply, and its code counts for nothing against a newer one.
    house.clock.advance(by: CodeLimit.pause)
    try await ada.sendCode(for: .stepUp(.email))
    for _ in 0..<6 { #expect(try await ada.stepUp(code: code, requestID: id) == session) }
    try await ada.stepUp(code: try await house.code(to: Self.mail.address))
    await expectRefusal(.failedPrecondition, "CODE_EXPIRED") { try await ada.stepUp(code: code) }
    await house.close()
  }

  @Test func `five wrong codes end one that was to step a session up`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    house.clock.advance(by: CodeLimit.pause)
    try await ada.sendCode(for: .stepUp(.email))
    let code = try await house.code(to: Self.mail.address)
    for _ in 0..<CodeRow.wrongTriesLimit {
      await expectRefusal(.permissionDenied, "WRONG_CODE") { try await ada.stepUp(code: "none") }
    }
    await expectRefusal(.resourceExhausted, "TOO_MANY_ATTEMPTS") { try await ada.stepUp(code: code) }
    await house.close()
  }

  @Test func `what is no phone number is none wherever one is asked for`() async throws {
    let house = try await House.open()
    let (ada, _) = try await house.signIn("ada")
    var reset = ResetPasswordRequest()
    (reset.requestID, reset.code, reset.newPassword) = (newRequestID(), "x", House.password)
    reset.contact = .phone("123")
    var send = SendResetCodeRequest()
    send.requestID = newRequestID()
    send.contact = .phone("123")
    let calls: [() async throws -> Void] = [
      { try await ada.sendCode(.phone("123")) }, { try await ada.confirm(.phone("123"), code: "123456") },
      { [send] in _ = try await ada.accounts.sendResetCode(send) },
      { [reset] in _ = try await ada.accounts.resetPassword(reset) },
    ]
    for call in calls {
      await expectRefusal(.invalidArgument, "BAD_PHONE_NUMBER") { try await call() }
      #expect(await badFields { try await call() } == ["phone"])
    }
    await house.close()
  }

  @Test func `what is missing or malformed is named`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let ada = house.client(try await house.client().login("ada").accessToken)
    #expect(await badFields { try await ada.sendCode(for: nil) } == ["purpose"])
    #expect(await badFields { try await ada.sendCode(for: .email("nobody")) } == ["email"])
    #expect(await badFields { try await ada.sendCode(for: .phone("123")) } == ["phone"])
    #expect(await badFields { try await ada.stepUp(code: "") } == ["password"])
    var both = StepUpRequest()
    both.requestID = newRequestID()
    both.password = House.password
    both.code = "123456"
    #expect(await badFields { try await ada.sessions.stepUp(both) } == ["password"])
    var confirm = ConfirmContactRequest()
    confirm.requestID = newRequestID()
    confirm.code = "123456"
    #expect(await badFields { try await ada.accounts.confirmContact(confirm) } == ["contact"])
    var send = SendResetCodeRequest()
    send.requestID = newRequestID()
    #expect(await badFields { try await ada.accounts.sendResetCode(send) } == ["contact"])
    var reset = ResetPasswordRequest()
    reset.requestID = newRequestID()
    reset.code = "x"
    reset.newPassword = House.password
    #expect(await badFields { try await ada.accounts.resetPassword(reset) } == ["contact"])
    await house.close()
  }

  @Test func `invariant 4: codes and addresses are in the spool alone`() async throws {
    let house = try await House.open()
    let ada = try await house.prove("ada", Self.mail)
    try await ada.sendCode(for: .stepUp(.email))
    try await house.client().sendResetCode(email: Self.mail.address)
    try await ada.sendCode(.phone("+358401234567"))
    let letters = try await house.letters()
    #expect(letters.count == 4)
    let codes = [
      try await house.code(to: "+358401234567"), try await house.code(to: Self.mail.address),
    ]
    let disk = try await house.bytesOnDisk()
    // Six digits occur by chance, and a run of them as long as the text around it does not.
    let reset = letters.first { $0.kind == "identity.reset_code" }?.text ?? ""
    for secret in codes.filter({ $0.count == 20 }) + letters.map(\.text) + [reset, Self.mail.address, "+358401234567"] {
      #expect(!secret.isEmpty && disk.range(of: Data(secret.utf8)) == nil, "\(secret) is on disk")
    }
    #expect(disk.range(of: Data("identity.codes/".utf8)) != nil, "the jobs are there to be looked at")
    await house.close()
  }
}
