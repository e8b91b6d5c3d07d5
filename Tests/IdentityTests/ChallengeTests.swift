import Base
import Cryptography
import DomainKit
import GoogleRPC
import IdentityAPI
import RPC
import Refusals
import Testing
import WellKnownTypes

@testable import Identity

@Suite struct ChallengeTests {
  private static let login = "octet.identity.v1.SessionService/Login"
  private static let register = "octet.identity.v1.AccountService/Register"
  private static let reset = "octet.identity.v1.AccountService/SendResetCode"

  /// Fails to log in until that takes a challenge.
  private func fail(_ house: House, _ name: String) async {
    for _ in 0..<LoginThrottle.slowAfter {
      await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
        try await house.client().login(name, password: "something else")
      }
    }
  }

  @Test(arguments: ["ada", "nobody"])
  func `five failures bring a challenge, known or not`(name: String) async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    await fail(house, name)
    let hashed = house.passwords.invocations
    let error = await expectRefusal(.failedPrecondition, "CHALLENGE_REQUIRED") {
      try await house.client().login(name, password: "something else")
    }
    let info = error.details.compactMap { $0.unpack(ErrorInfo.self) }.first
    #expect(info?.metadata["method"] == Self.login)
    #expect(house.passwords.invocations == hashed)
    await expectRefusal(.unauthenticated, "WRONG_CREDENTIALS") {
      try await house.client(solution: try await house.solve(Self.login)).login(name, password: "something else")
    }
    #expect(house.passwords.invocations == hashed + 1)
    guard name == "ada" else { return await house.close() }
    _ = try await house.client(solution: try await house.solve(Self.login)).login("ada")
    // Success takes the failures back.
    _ = try await house.client().login("ada")
    await house.close()
  }

  @Test func `a solution is for one request to one method from one device, within two minutes`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    await fail(house, "ada")
    let (phone, laptop) = (try DeviceKey("phone"), try DeviceKey("laptop"))
    func attempt(_ solution: String, device: DeviceKey? = nil, requestID: String = newRequestID()) async -> Refusal? {
      await refusal {
        try await house.client(solution: solution).login(
          "ada", password: "something else", device: device, requestID: requestID)
      }
    }
    let challenged = Refusal(.failedPrecondition, "CHALLENGE_REQUIRED")
    let wrong = Refusal(.unauthenticated, "WRONG_CREDENTIALS")
    #expect(await attempt(try await house.solve(Self.register)) == challenged)
    let ofPhone = try await house.solve(Self.login, device: phone)
    #expect(await attempt(ofPhone) == challenged)
    #expect(await attempt(ofPhone, device: laptop) == challenged)
    let id = newRequestID()
    #expect(await attempt(ofPhone, device: phone, requestID: id) == wrong)
    // The same request again may have lost its reply; another one has to solve its own.
    #expect(await attempt(ofPhone, device: phone, requestID: id) == wrong)
    #expect(await attempt(ofPhone, device: phone) == challenged)
    let late = try await house.solve(Self.login)
    house.clock.advance(by: ChallengeDesk.lifetime)
    #expect(await attempt(late) == challenged)
    while try await CodeRetention(clock: house.clock).step(house.database) {}
    #expect(try await house.count("SELECT COUNT(*) FROM identity_challenges") == 0)
    await house.close()
  }

  @Test func `of many requests that share a solution one passes`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    await fail(house, "ada")
    let client = house.client(solution: try await house.solve(Self.login))
    let outcomes = await withTaskGroup(of: Refusal?.self) { group in
      for _ in 0..<10 {
        group.addTask { await refusal { try await client.login("ada", password: "something else") } }
      }
      return await group.reduce(into: [Refusal?]()) { $0.append($1) }
    }
    #expect(outcomes.count { $0 == Refusal(.unauthenticated, "WRONG_CREDENTIALS") } == 1)
    #expect(outcomes.count { $0 == Refusal(.failedPrecondition, "CHALLENGE_REQUIRED") } == 9)
    await house.close()
  }

  @Test func `an address that registers, logs in or asks for codes often must answer`() async throws {
    let house = try await House.open(challengeRate: Rate(perSecond: 1, burst: 2))
    for handle in ["ada", "bob"] { try await house.client().register(handle) }
    let hashed = house.passwords.invocations
    await expectRefusal(.failedPrecondition, "CHALLENGE_REQUIRED") { try await house.client().register("eve") }
    #expect(house.passwords.invocations == hashed)
    try await house.client(solution: try await house.solve(Self.register)).register("eve")
    for handle in ["ada", "bob"] { _ = try await house.client().login(handle) }
    await expectRefusal(.failedPrecondition, "CHALLENGE_REQUIRED") { try await house.client().login("eve") }
    _ = try await house.client(solution: try await house.solve(Self.login)).login("eve")
    for number in 0..<2 { try await house.client().sendResetCode(email: "user\(number)@example.org") }
    await expectRefusal(.failedPrecondition, "CHALLENGE_REQUIRED") {
      try await house.client().sendResetCode(email: "eve@example.org")
    }
    let client = house.client(solution: try await house.solve(Self.reset))
    try await client.sendResetCode(email: "eve@example.org")
    house.clock.advance(by: .seconds(1))
    try await house.client().register("fred")
    await house.close()
  }

  @Test func `what is no solution is none`() throws {
    let keys = try ServerKeys(root: .random())
    let work = ProofOfWork(keys: keys, random: SeededRandomSource(seed: 1), easiest: 0)
    let subject = ChallengeSubject(method: "a.B/C", client: [1])
    let now = Instant(seconds: 1_000_000)
    let issued = work.issue(for: subject, effort: 0, expiresAt: now + .seconds(1))
    #expect(issued.zeroBits == 0 && issued.algorithm == "sha256")
    #expect(work.check(issued.token + ":x", for: subject, now: now)?.expiresAt == issued.expiresAt)
    let bad = [
      "", ":", ":x", issued.token, issued.token + ":", issued.token + ": ", issued.token + ":é",
      issued.token + ":" + String(repeating: "x", count: 65), issued.token + ":x:y",
      String(issued.token.dropLast()) + ":x",
      String(repeating: "x", count: 100_000) + ":x", "oc1.AAAA.AAAA:x",
    ]
    for text in bad { #expect(work.check(text, for: subject, now: now) == nil, "\(text.prefix(80))") }
    #expect(work.check(issued.token + ":x", for: subject, now: now + .seconds(1)) == nil)
    #expect(work.check(issued.token + ":x", for: ChallengeSubject(method: "a.B", client: [1]), now: now) == nil)
    let other = ProofOfWork(keys: try ServerKeys(root: .random()), random: SeededRandomSource(seed: 1), easiest: 0)
    #expect(other.check(issued.token + ":x", for: subject, now: now) == nil)
    // The bits are what the token says, whatever is asked for now.
    let hard = ProofOfWork(keys: keys, random: SeededRandomSource(seed: 2), easiest: 250)
      .issue(for: subject, effort: 0, expiresAt: now + .seconds(1))
    #expect(work.check(hard.token + ":x", for: subject, now: now) == nil)
  }

  @Test func `challenges have 18 to 24 bits, more for an address that solves many`() throws {
    let now = Instant(seconds: 1_000_000)
    let work = ProofOfWork(keys: try ServerKeys(root: .random()), random: SeededRandomSource(seed: 1))
    let subject = ChallengeSubject(method: "a.B/C", client: [])
    var pressure = ChallengePressure(now: now)
    var seen: [Int: Int] = [:]
    for solved in 0..<2000 {
      let bits = work.issue(for: subject, effort: pressure.effort(now: now), expiresAt: now).zeroBits
      if seen[bits] == nil { seen[bits] = solved }
      pressure.count(now: now)
    }
    #expect(seen == [18: 0, 19: 8, 20: 16, 21: 32, 22: 64, 23: 128, 24: 256])
    // Half of it is forgotten each minute.
    #expect(pressure.effort(now: now + .seconds(3 * 60)) == 5 && pressure.effort(now: now + .seconds(9 * 60)) == 0)
    let hashes: [[UInt8]] = [[], [0], [0, 0x10], [0x80]]
    #expect(hashes.map { ProofOfWork.leadingZeroBits(of: $0) } == [0, 8, 11, 0])
  }
}
