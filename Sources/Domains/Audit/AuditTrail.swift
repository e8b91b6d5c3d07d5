public import Base
public import DomainKit
public import Storage

/// Writes records, each in the transaction of what it records. Sealing them is the work of the sealer.
public struct AuditTrail: Audit {
  private let clock: any WallClock

  public init(clock: any WallClock) {
    self.clock = clock
  }

  public func record(_ entry: AuditEntry, in writer: any Writer) throws {
    var refusal = ""
    if case .refused(let reason) = entry.outcome { refusal = reason }
    try writer.send(
      """
      INSERT INTO audit_records (created_at, actor, action, object, refusal, details)
      VALUES ($1, $2, $3, $4, $5, $6)
      """, clock.now(), entry.actor.text, entry.action.text, entry.object?.text ?? "", refusal,
      entry.facts.map(\.line).joined(separator: "\n"))
  }

  public func count(
    _ word: StaticString, on object: SubjectID, with facts: [AuditFact], in reader: any Reader
  ) throws -> Int? {
    let lines = Set(facts.map(\.line))
    let all: [String] = try reader.rows(
      "SELECT details FROM audit_records WHERE object = $1 AND action = $2", object.text, "\(word)"
    ) { $0[0] }
    return all.count { lines.isSubset(of: $0.split(separator: "\n").map(String.init)) }
  }

  public func sequence(in reader: any Reader) throws -> Int64 {
    try reader.first("SELECT id FROM audit_records ORDER BY id DESC LIMIT 1") { $0[0] } ?? 0
  }
}

extension AuditFact {
  /// As a record's details have it.
  fileprivate var line: String { "\(name)=\(text)" }
}
