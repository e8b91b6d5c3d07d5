import Audit
import Base
import DomainKit
import IdentityAPI
import PostgreSQLServer
import Storage
import Testing

@testable import Identity

@Suite struct AuditTests {
  @Test func `invariants 1, 2, 4 and 6 hold after a busy day`() async throws {
    let house = try await House.open()
    let (leaver, _) = try await house.signIn("leaver")
    try await leaver.closeAccount()
    try await house.advance(by: Closing.delay)
    _ = try await house.prove("proved", .email("proved@example.org"))
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<30 {
        group.addTask {
          let handle = "user\(number % 20)"
          _ = try? await house.client().register(handle, contact: .email("\(handle)@example.org"))
          guard let login = try? await house.client().login(handle) else { return }
          _ = try? await house.client(login.accessToken).sendCode(.email("\(handle)@example.org"))
          _ = try? await house.client().refresh(login.refreshToken)
          if number % 3 == 0 { try? await house.client(login.accessToken).logout() }
          if number % 5 == 0 { _ = try? await house.client().refresh(login.refreshToken) }
        }
      }
    }
    try await house.identity.grantRole(handle: "user1", role: "admin")
    let reports = try await house.identity.checkInvariants()
    #expect(reports.map(\.number) == [1, 1, 2, 2, 2, 2, 3, 4, 6, 6, 12])
    for report in reports { #expect(report.holds && report.rowsChecked > 0, "\(report)") }
    await house.close()
  }

  @Test func `the audit names what breaks an invariant`() async throws {
    let house = try await House.open(migrations: AuditDomain.migrations, audit: { AuditTrail(clock: $0) })
    let user = try await house.client().register("ada", contact: .email("ada@example.org"))
    let login = try await house.client().login("ada")
    let session = login.session?.id ?? ""
    _ = try await house.client(login.accessToken).sendCode(.email("ada@example.org"))
    try await house.identity.grantRole(handle: "ada", role: "shop.ops")
    try await house.execute("UPDATE identity_users SET handle_key = 'eve', password_hash = 'secret'", [])
    try await house.execute("UPDATE identity_sessions SET ended_at = 1", [])
    let broken = try await house.identity.checkInvariants().filter { !$0.holds }
    #expect(broken.map(\.number) == [1, 2, 4])
    #expect(broken.map(\.violations) == [[user.id], [session], [user.id]])
    try await house.execute("UPDATE identity_users SET handle_key = 'ada', password_hash = '$argon2id$'", [])
    try await house.execute("UPDATE identity_sessions SET ended_at = NULL", [])

    // Each of these is one rule broken by hand; rows that only a lost unique index would let in are not among them.
    let damages: [(sql: String, number: Int)] = [
      ("UPDATE identity_users SET handle_key = NULL", 1),
      ("UPDATE identity_sessions SET end_reason = 1", 2),
      ("UPDATE identity_sessions SET user_id = 7", 2),
      ("UPDATE identity_users SET state = 3", 2),
      ("UPDATE identity_codes SET wrong_tries = 6", 3),
      ("UPDATE identity_contacts SET sealed = lookup", 4),
      ("UPDATE identity_users SET state = 5", 6),
      (
        """
        INSERT INTO identity_grants (id, user_id, role, resource, granted_by, created_at, changed_at)
        SELECT 7, id, 'ops', '', id, 1, 1 FROM identity_users
        """, 12
      ),
      ("UPDATE identity_grants SET role = 'admin'", 12),
      ("UPDATE identity_grants SET revoked_at = 1", 12),
    ]
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    for damage in damages {
      let broken = try await house.broken(by: damage.sql)
      #expect(broken.contains(damage.number), "\(damage.sql): \(broken)")
    }
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    await house.close()
  }

  @Test func `many roles are compared with the trail in a few looks, whoever holds them`() async throws {
    let house = try await House.open(migrations: AuditDomain.migrations, audit: { AuditTrail(clock: $0) })
    let people = house.identity.people
    var users: [Identifier] = []
    for number in 0..<4 {
      users.append(try Identifier.parse(await house.client().register("user\(number)").id, kind: "user"))
    }
    let (sharers, collector) = (users.dropLast(), users[3])
    // More than are read at a time, of one holder and of each of some.
    try await house.database.write { writer in
      for number in 0..<Int64(1200) {
        let store = SubjectID("store", Identifier(rawValue: number))
        try people.grant("shop.clerk", to: sharers[Int(number % 3)], on: store, in: writer)
        try people.grant("shop.clerk", to: collector, on: store, in: writer)
      }
      try people.revoke("shop.clerk", from: collector, on: SubjectID("store", Identifier(rawValue: 7)), in: writer)
    }
    _ = house.statements.take()
    let check = try #require(try await house.identity.checkInvariants().last)
    #expect(check.number == 12 && check.holds && check.rowsChecked == 2400)
    let statements = house.statements.take()
    #expect(statements.count { $0.contains("(user_id, role, id)") || $0.contains("FROM audit_records") } <= 8)
    // The last of them, once more than it was given.
    let forged = try await house.broken(
      by: """
        INSERT INTO identity_grants (id, user_id, role, resource, granted_by, created_at, revoked_at, changed_at)
        SELECT 7, user_id, role, resource, granted_by, created_at, created_at, changed_at FROM identity_grants
        WHERE resource = '\(SubjectID("store", Identifier(rawValue: 1199)).text)' LIMIT 1
        """)
    #expect(forged == [12])
    await house.close()
  }

  @Test func `the audit names an account that is closing and that nobody will erase`() async throws {
    let house = try await House.open()
    let (ada, _) = try await house.signIn("ada")
    try await ada.closeAccount()
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    #expect(try await house.broken(by: "DELETE FROM octet_timers") == [6])
    await house.close()
  }
}

extension House {
  /// The numbers of the invariants that a statement breaks; what it does is taken back.
  fileprivate func broken(by sql: String) async throws -> Set<Int> {
    let (now, audit) = (clock.now(), kit.audit)
    return try await database.takenBack { writer in
      try writer.execute(sql)
      let found = IdentityAudit(reader: writer, now: now, limits: IdentityLimits(), audit: audit)
      return Set(try found.reports().filter { !$0.holds }.map(\.number))
    }
  }
}
