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

/// Notes which sessions have ended, once it is certain.
private final class Listener: SessionObserver {
  private let committed = Locked([String]())

  var ended: [String] { committed.withLock { $0 } }

  func ended(_ sessions: [Identifier], in writer: any Writer) throws {
    let ids = sessions.map { $0.text(kind: "sess") }
    writer.afterCommit { [committed] in committed.withLock { $0 += ids } }
  }
}

@Suite struct SessionTests {
  @Test func `who wants to know learns of each session that ends, whatever ends it`() async throws {
    let house = try await House.open()
    let listener = Listener()
    house.kit.sessions.observe(listener)
    try await house.client().register("ada")
    var (logins, expected) = ([LoginResponse](), [String]())
    for _ in 0..<4 { logins.append(try await house.client().login("ada")) }
    func id(_ number: Int) -> String { logins[number].session?.id ?? "" }
    try await house.client(logins[0].accessToken).logout()
    expected.append(id(0))
    #expect(listener.ended == expected)
    _ = try await house.client(logins[1].accessToken).end(id(2))
    expected.append(id(2))
    #expect(listener.ended == expected)
    _ = try await house.client().refresh(logins[1].refreshToken)
    _ = await refusal { try await house.client().refresh(logins[1].refreshToken) }
    expected.append(id(1))
    #expect(listener.ended == expected)
    _ = try await house.identity.ensureUser(
      handle: "mod", displayName: "Mod", password: House.password, roles: ["moderator"])
    try await house.client(try await house.client().login("mod").accessToken).suspend(logins[3].user?.id ?? "")
    expected.append(id(3))
    #expect(listener.ended == expected)
    await house.close()
  }

  @Test func `sessions are listed with device and last use, newest first`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    _ = try await house.client().login("ada", device: try DeviceKey("laptop"))
    house.clock.advance(by: .seconds(1))
    let login = try await house.client().login("ada", device: try DeviceKey("phone"))
    let sessions = try await house.client(login.accessToken).list().sessions
    #expect(sessions.map(\.deviceName) == ["phone", "laptop"])
    #expect(sessions.map(\.current) == [true, false])
    #expect(sessions.allSatisfy { $0.state == .live && $0.signInTime == $0.lastUseTime })
    await house.close()
  }

  @Test func `a mutating call counts as a use, no more than once a minute`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let other = try await house.client().login("ada").session?.id ?? ""
    let client = house.client(try await house.client().login("ada").accessToken)
    house.clock.advance(by: .seconds(59))
    _ = try await client.end(other)
    let before = try await client.list().sessions[0]
    #expect(before.lastUseTime == before.signInTime)
    house.clock.advance(by: .seconds(1))
    _ = try await client.end(other)
    let after = try await client.list().sessions[0]
    #expect(after.lastUseTime != after.signInTime)
    await house.close()
  }

  @Test func `pages follow each other, and a token is good for its own query only`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    try await house.client().register("eve")
    let client = house.client(try await house.client().login("ada").accessToken)
    for _ in 0..<4 { _ = try await house.client().login("ada") }
    var seen: [String] = []
    var token = ""
    repeat {
      let page = try await client.list(pageSize: 2, pageToken: token)
      #expect(page.sessions.count <= 2)
      seen += page.sessions.map(\.id)
      token = page.nextPageToken
    } while !token.isEmpty
    #expect(seen.count == 5 && Set(seen).count == 5 && seen == seen.sorted(by: >))
    let stolen = try await client.list(pageSize: 2).nextPageToken
    let eve = house.client(try await house.client().login("eve").accessToken)
    for bad in [stolen, stolen + "A", "nonsense"] {
      await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") { try await eve.list(pageToken: bad) }
    }
    await house.close()
  }

  @Test func `invariant 2: after logout every token of the session is refused at once`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let client = house.client(login.accessToken)
    try await client.logout()
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await client.list() }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await client.logout() }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client().refresh(login.refreshToken) }
    await house.close()
  }

  @Test func `invariant 2: a session ended on another node is refused by changes at once, by reads after catching up`()
    async throws
  {
    let house = try await House.open()
    try await house.client().register("ada")
    let login = try await house.client().login("ada")
    let client = house.client(login.accessToken)
    // What another node would write.
    try await house.execute("UPDATE identity_sessions SET ended_at = $1", [.integer(house.clock.now().nanoseconds)])
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await client.logout() }
    _ = try await client.list()
    try await house.authority.catchUp()
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await client.list() }
    await house.close()
  }

  @Test func `what a node wrote whose clock is behind is noticed too, within some looks`() async throws {
    let house = try await House.open()
    let (root, _) = try await house.signIn("root_")
    try await house.identity.grantRole(handle: "root_", role: "admin")
    let (client, login) = try await house.signIn("ada")
    let id = login.user?.id ?? ""
    _ = try await root.grant("ops", to: id)
    try await house.authority.catchUp()
    _ = try await client.grants(of: id)
    // As another node would write it, five minutes ago by its clock.
    let then = house.clock.now() - .seconds(300)
    try await house.execute(
      "UPDATE identity_sessions SET ended_at = $1 WHERE user_id = $2",
      [
        then.sqlValue, Identifier.parse(id, kind: "user").sqlValue,
      ])
    try await house.execute("UPDATE identity_grants SET changed_at = $1", [then.sqlValue])
    for _ in 0..<IdentityAuthority.looksPerLongLook {
      house.clock.advance(by: .seconds(1))
      try await house.authority.catchUp()
    }
    #expect(house.authority.knownRoles(of: try Identifier.parse(id, kind: "user"), epoch: 0) == nil)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await client.list() }
    await house.close()
  }

  @Test func `sessions that other nodes end are forgotten when no token of theirs lives any more`() async throws {
    let house = try await House.open()
    /// As another node would write it: so many sessions that some of them are looked through.
    func endElsewhere() async throws -> Identifier {
      let (now, sessions) = (house.clock.now(), (0..<1200).map { _ in house.kit.identifiers.next() })
      try await house.database.write { writer in
        for session in sessions {
          try writer.execute(
            """
            INSERT INTO identity_sessions (id, user_id, device_name, known_device, address, generation, signed_in_at,
              proved_at, last_used_at, renewed_at, ended_at, end_reason)
            VALUES ($1, 1, '', 0, '', 0, $2, $2, $2, $2, $2, 1)
            """, session, now)
        }
      }
      try await house.authority.catchUp()
      return sessions[0]
    }
    let old = try await endElsewhere()
    #expect(house.authority.hasEnded(old))
    // A look goes back somewhat further than tokens live.
    house.clock.advance(by: AccessToken.lifetime + .seconds(60))
    _ = try await endElsewhere()
    let new = try await endElsewhere()
    #expect(!house.authority.hasEnded(old) && house.authority.hasEnded(new))
    await house.close()
  }

  @Test func `an owner ends one session or all, a stranger none`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    try await house.client().register("eve")
    let first = try await house.client().login("ada")
    let second = try await house.client().login("ada")
    let third = try await house.client().login("ada")
    let eve = house.client(try await house.client().login("eve").accessToken)
    let ada = house.client(third.accessToken)
    let id = first.session?.id ?? ""
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.end(id) }
    await expectRefusal(.invalidArgument, "WRONG_ID_KIND") { try await ada.end(first.user?.id ?? "") }
    #expect(try await ada.end(id).state == .ended)
    #expect(try await ada.end(id).state == .ended)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client(first.accessToken).list() }
    #expect(try await ada.endAll(keepCurrent: true) == 1)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await house.client(second.accessToken).list() }
    #expect(try await ada.endAll(keepCurrent: false) == 1)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await ada.list() }
    _ = try await eve.list()
    await house.close()
  }
}

@Suite struct AccessTests {
  @Test func `refuses calls without credentials, with bad ones and with expired ones`() async throws {
    let house = try await House.open()
    try await house.client().register("ada")
    let token = try await house.client().login("ada").accessToken
    await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { try await house.client().list() }
    let last = token.last == "A" ? "B" : "A"
    for bad in ["nonsense", "oa1.AAAA.AAAA", String(token.dropLast()), token.dropLast(5) + "AAAA" + last] {
      await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { try await house.client(bad).list() }
      // Also where none are needed: a client that sends credentials believes it is somebody.
      await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { try await house.client(bad).register("eve") }
    }
    // What is remembered of the good one lets none of those in that differ a little, nor itself when its time is over.
    _ = try await house.client(token).list()
    let shorter = String(token.dropLast())
    for bad in ["", shorter, shorter + last, token + "A", last + String(token.dropFirst())] {
      await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { try await house.client(bad).list() }
    }
    house.clock.advance(by: .seconds(599))
    _ = try await house.client(token).list()
    house.clock.advance(by: .seconds(1))
    await expectRefusal(.unauthenticated, "UNAUTHENTICATED") { try await house.client(token).list() }
    await house.close()
  }

  @Test func `a caller who calls too often is told how long to wait`() async throws {
    let house = try await House.open(limits: RateLimits(standard: Rate(perSecond: 1, burst: 3)))
    try await house.client().register("ada")
    let client = house.client(try await house.client().login("ada").accessToken)
    for _ in 0..<3 { _ = try await client.list() }
    let error = await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await client.list() }
    #expect(error.details.compactMap { $0.unpack(RetryInfo.self) }.first?.retryDelay?.seconds == 1)
    #expect(error.details.compactMap { $0.unpack(QuotaFailure.self) }.first?.violations_.count == 1)
    // Another caller is not affected.
    try await house.client().register("eve")
    _ = try await house.client(try await house.client().login("eve").accessToken).list()
    house.clock.advance(by: .seconds(1))
    _ = try await client.list()
    await house.close()
  }

  @Test func `one address that registers too often is slowed down`() async throws {
    let house = try await House.open(limits: RateLimits(expensive: Rate(perSecond: 1, burst: 2)))
    try await house.client().register("ada")
    try await house.client().register("eve")
    await expectRefusal(.resourceExhausted, "RATE_LIMITED") { try await house.client().register("mallory") }
    await house.close()
  }
}
