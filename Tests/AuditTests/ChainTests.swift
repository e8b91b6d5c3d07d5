import Base
import Cryptography
import DomainKit
import PostgreSQLServer
import RPC
import Storage
import Streaming
import Testing

@testable import Audit

/// Nobody is signed in: these tests call no methods.
private struct NoDoors: Authority {
  func hasEnded(_ session: Identifier) -> Bool { false }
  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { RoleSet() }
  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { RoleSet() }
  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing { throw KitError.sessionEnded }
}

/// A trail in a database of its own.
private struct Desk {
  let clock = ManualClock()
  let database: any Database
  let kit: Kit
  let audit: AuditDomain

  init() async throws {
    database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + AuditDomain.migrations, clock: clock)
    let root = SecretKey.random()
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: SeededRandomSource(seed: 1),
      keys: try ServerKeys(root: root),
      authority: NoDoors(), log: Log(level: .error), audit: AuditTrail(clock: clock), beatInterval: nil)
    audit = try AuditDomain(kit: kit, checked: [])
  }

  func record(_ count: Int) async throws {
    for _ in 0..<count {
      try await kit.database.write { [kit] writer in
        try kit.audit.record(
          AuditEntry(
            .word("role.granted"), by: .user(Identifier(rawValue: 1)), on: SubjectID("user", Identifier(rawValue: 2)),
            [.role("ops")]), in: writer)
      }
    }
  }

  func execute(_ sql: String) async throws {
    _ = try await database.write { try $0.execute(sql, []) }
  }

  var broken: [String] { get async throws { try await audit.checkInvariants().flatMap(\.violations) } }
}

@Suite struct ChainTests {
  /// Each signed head has a record of its own.
  @Test func `invariant 12: a whole chain verifies, its first records and each hour are signed`() async throws {
    let desk = try await Desk()
    #expect(try await desk.broken == [])
    try await desk.record(300)
    try await desk.audit.sealer.sealAll()
    desk.clock.advance(by: Sealer.headInterval)
    try await desk.record(3)
    try await desk.audit.sealer.sealAll()
    let check = try await desk.audit.checkInvariants()
    #expect(check.map(\.number) == [12] && check.map(\.rowsChecked) == [305] && check.map(\.violations) == [[]])
    let heads: Int64? = try await desk.database.read { try $0.first("SELECT COUNT(*) FROM audit_heads") { $0[0] } }
    #expect(heads == 2)
    await desk.database.close()
  }

  @Test(arguments: [
    ("UPDATE audit_records SET object = '' WHERE number = 4", "4"),
    ("UPDATE audit_records SET details = 'role=opt' WHERE number = 7", "7"),
    ("UPDATE audit_records SET created_at = created_at + 1 WHERE number = 1", "1"),
    ("DELETE FROM audit_records WHERE number = 5", "5"),
    ("UPDATE audit_records SET number = CASE number WHEN 3 THEN -6 WHEN 6 THEN -3 ELSE number END", "3"),
    ("DELETE FROM audit_records WHERE number > 8", "9"),
    ("UPDATE audit_heads SET signature = hash", "9"),
    ("DELETE FROM audit_heads", "9"),
    ("UPDATE audit_chain SET number = 7", "8"),
  ])
  func `invariant 12: what was altered, dropped, moved or cut off is named`(
    statement: String, number: String
  ) async throws {
    let desk = try await Desk()
    try await desk.record(9)
    try await desk.audit.sealer.sealAll()
    #expect(try await desk.broken == [])
    try await desk.execute(statement)
    try await desk.execute("UPDATE audit_records SET number = -number WHERE number < 0")
    #expect(try await desk.broken == [number])
    await desk.database.close()
  }

  @Test func `a tail that is cut off together with the chain's end is missed by the signed head`() async throws {
    let desk = try await Desk()
    try await desk.record(5)
    try await desk.audit.sealer.sealAll()
    try await desk.execute("DELETE FROM audit_records")
    try await desk.execute("DELETE FROM audit_chain")
    #expect(try await desk.broken == ["1"])
    await desk.database.close()
  }

  @Test func `what was committed before a crash is sealed by the next process`() async throws {
    let desk = try await Desk()
    try await desk.record(2)
    let next = try AuditDomain(kit: desk.kit, checked: [])
    try await next.sealer.sealAll()
    #expect(try await next.checkInvariants().map(\.rowsChecked) == [3])
    await desk.database.close()
  }

  @Test func `of several signed heads the one that is missing is named`() async throws {
    let desk = try await Desk()
    for _ in 0..<3 {
      try await desk.record(4)
      try await desk.audit.sealer.sealAll()
      desk.clock.advance(by: Sealer.headInterval)
    }
    #expect(try await desk.broken == [])
    let heads: [Int64] = try await desk.database.read {
      try $0.rows("SELECT number FROM audit_heads ORDER BY number") { $0[0] }
    }
    try #require(heads.count == 3)
    try await desk.execute("DELETE FROM audit_heads WHERE number = \(heads[1])")
    #expect(try await desk.broken == ["\(heads[1])"])
    await desk.database.close()
  }

  @Test func `a check says which snapshot it was made on`() async throws {
    let desk = try await Desk()
    func sequences() async throws -> [Int64] {
      let check = InvariantCheck(number: 1, statement: "nothing is odd", rowsChecked: 0, violations: [])
      return try await desk.kit.checkOnSnapshot { _ in [check, check] }.map(\.snapshotSequence)
    }
    #expect(try await sequences() == [0, 0])
    try await desk.record(2)
    let first = try await sequences()
    try await desk.record(1)
    let second = try await sequences()
    #expect(first == [first[0], first[0]] && 0 < first[0] && first[0] < second[0])
    await desk.database.close()
  }

  @Test func `a sealer that has died keeps the others from sealing for no longer than its lease`() async throws {
    let desk = try await Desk()
    try await desk.record(2)
    try await desk.audit.sealer.sealAll()
    let next = try AuditDomain(kit: desk.kit, checked: [])
    try await desk.record(3)
    desk.clock.advance(by: Sealer.leaseDuration - .nanoseconds(1))
    try await next.sealer.sealAll()
    #expect(try await next.checkInvariants().map(\.rowsChecked) == [3])
    desk.clock.advance(by: .nanoseconds(1))
    try await next.sealer.sealAll()
    #expect(try await next.checkInvariants().map(\.rowsChecked) == [6])
    await desk.database.close()
  }

  @Test func `records of many writers at once are all sealed, while only one node seals`() async throws {
    let desk = try await Desk()
    let other = try AuditDomain(kit: desk.kit, checked: [])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 { group.addTask { try await desk.record(10) } }
      for sealer in [desk.audit.sealer, other.sealer] {
        group.addTask { for _ in 0..<10 { try await sealer.sealAll() } }
      }
      try await group.waitForAll()
    }
    // One of them has the lease.
    try await desk.audit.sealer.sealAll()
    try await other.sealer.sealAll()
    let checks = try await desk.audit.checkInvariants()
    #expect(checks.map(\.rowsChecked) == [81] && checks.map(\.violations) == [[]])
    await desk.database.close()
  }

  @Test func `refusals that are too many are counted in the trail`() async throws {
    let desk = try await Desk()
    let entry = AuditEntry(
      .word("role.granted"), by: .user(Identifier(rawValue: 1)), on: nil, outcome: .refused(reason: "PERMISSION_DENIED")
    )
    for _ in 0..<NotedCalls.limit + 3 { desk.kit.notedCalls.note(entry) }
    try await desk.audit.sealer.recordNotedCalls()
    let last: String? = try await desk.database.read {
      try $0.first("SELECT details FROM audit_records WHERE action = 'audit.calls_dropped'") { $0[0] }
    }
    #expect(last == "count=3")
    let refused: Int? = try await desk.database.read {
      try $0.first("SELECT COUNT(*) FROM audit_records WHERE refusal = 'PERMISSION_DENIED'") { $0[0] }
    }
    #expect(refused == NotedCalls.limit)
    await desk.database.close()
  }
}
