import Base
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

@Suite struct RefreshTests {
  @Test func `a refresh token buys a new pair`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    house.clock.advance(by: .seconds(601))
    await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { try await house.client(login.accessToken).list() }
    let second = try await house.client().refresh(login.refreshToken)
    #expect(second.accessToken != login.accessToken && second.refreshToken != login.refreshToken)
    #expect(try await house.client(second.accessToken).list().sessions.count == 1)
    _ = try await house.client().refresh(second.refreshToken)
    await house.close()
  }

  @Test func `a lost reply is repeated: the same request_id gets the same pair, however late`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let id = newRequestID()
    let first = try await house.client().refresh(login.refreshToken, requestID: id)
    house.clock.advance(by: .seconds(24 * 3600))
    #expect(try await house.client().refresh(login.refreshToken, requestID: id) == first)
    let third = try await house.client().refresh(first.refreshToken)
    #expect(try await house.client().refresh(login.refreshToken, requestID: id) == first)
    _ = try await house.client().refresh(third.refreshToken)
    await house.close()
  }

  @Test func `acceptance 2: a session knows its last refresh when no request_id of that time is kept any more`()
    async throws
  {
    let house = try await House.open()
    // Whoever proves nothing would be dropped after a week.
    _ = try await house.prove("ada", .email("ada@example.org"))
    let login = try await house.client().login("ada")
    let requests = RequestRetention(clock: house.clock)
    func wait(days: Int) async throws {
      for _ in 0..<4 * days {
        house.clock.advance(by: .seconds(6 * 3600))
        for sweep in house.identity.sweeps + [requests] { while try await sweep.step(house.database) {} }
      }
      let kept = ["octet_requests", "octet_requests_b"].map { "(SELECT COUNT(*) FROM \($0))" }.joined(separator: " + ")
      #expect(try await house.count("SELECT \(kept)") == 0)
    }
    while try await requests.step(house.database) {}
    let id = newRequestID()
    let first = try await house.client().refresh(login.refreshToken, requestID: id)
    // A right that is given meanwhile changes nothing of the pair.
    try await house.identity.grantRole(handle: "ada", role: "shop.ops")
    try await wait(days: 15)
    #expect(try await house.client().refresh(login.refreshToken, requestID: id) == first)
    let third = try await house.client().refresh(first.refreshToken)
    // Of what was refreshed before that nothing is known, and somebody who spends it may be a thief.
    try await wait(days: 15)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") {
      try await house.client().refresh(login.refreshToken, requestID: id)
    }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(third.refreshToken) }
    await house.close()
  }

  @Test func `the last refresh is repeated to nobody once its session has been idle for 60 days`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let id = newRequestID()
    _ = try await house.client().refresh(login.refreshToken, requestID: id)
    for table in ["octet_requests", "octet_requests_b"] { try await house.execute("DELETE FROM \(table)", []) }
    house.clock.advance(by: .seconds(30 * 24 * 3600))
    // The repeat is no use of the session: it does not live longer.
    _ = try await house.client().refresh(login.refreshToken, requestID: id)
    for table in ["octet_requests", "octet_requests_b"] { try await house.execute("DELETE FROM \(table)", []) }
    house.clock.advance(by: .seconds(30 * 24 * 3600))
    await expectRefusal(.unauthenticated, "SESSION_ENDED") {
      try await house.client().refresh(login.refreshToken, requestID: id)
    }
    await house.close()
  }

  @Test func `invariant 2: a spent token under a new request_id ends the whole family`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let other = try await house.client().login("ada")
    let second = try await house.client().refresh(login.refreshToken)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(second.refreshToken) }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client(second.accessToken).list() }
    // Sessions that were signed in on their own are another family.
    _ = try await house.client().refresh(other.refreshToken)
    await house.close()
  }

  @Test func `a family is held alone before its row, which a call under way may want to change`() async throws {
    let house = try await House.open()
    let (_, login) = try await house.signIn("ada")
    _ = try await house.client().refresh(login.refreshToken)
    _ = house.statements.take()
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    let ending = house.statements.take().split(separator: "write").last ?? []
    #expect(ending.first == "exclusive octet/session")
    #expect(ending.dropFirst().first?.contains("FROM identity_sessions") == true)
    await house.close()
  }

  @Test func `invariant 2: of many who spend a token at once, one gets a pair, and the family has ended`() async throws
  {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let pairs = await withTaskGroup(of: SessionTokens?.self) { group in
      for _ in 0..<20 { group.addTask { try? await house.client().refresh(login.refreshToken) } }
      return await group.reduce(into: [SessionTokens]()) { if let pair = $1 { $0.append(pair) } }
    }
    #expect(pairs.count == 1)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(pairs[0].refreshToken) }
    await house.close()
  }

  @Test func `many repeats of one request at once get one pair`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let id = newRequestID()
    let pairs = try await withThrowingTaskGroup(of: SessionTokens.self) { group in
      for _ in 0..<20 { group.addTask { try await house.client().refresh(login.refreshToken, requestID: id) } }
      return try await group.reduce(into: [SessionTokens]()) { $0.append($1) }
    }
    #expect(pairs.count == 20 && pairs.allSatisfy { $0 == pairs[0] })
    _ = try await house.client().refresh(pairs[0].refreshToken)
    await house.close()
  }

  @Test func `refuses what this server has not made`() async throws {
    let house = try await House.open()
    let stranger = try await House.open()
    for each in [house, stranger] { try await each.client().register("ada") }
    let foreign = try await stranger.client().login("ada").refreshToken
    for token in ["nonsense", "or1.AAAA.AAAA", foreign, foreign + "A"] {
      await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(token) }
    }
    await house.close()
    await stranger.close()
  }

  @Test func `a session that was idle for 60 days has ended`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    house.clock.advance(by: .seconds(59 * 24 * 3600))
    let second = try await house.client().refresh(login.refreshToken)
    house.clock.advance(by: .seconds(60 * 24 * 3600))
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(second.refreshToken) }
    await house.close()
  }
}
