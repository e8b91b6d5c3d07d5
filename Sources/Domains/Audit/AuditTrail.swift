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
      entry.facts.map { "\($0.name)=\($0.text)" }.joined(separator: "\n"))
  }

  public func sequence(in reader: any Reader) throws -> Int64 {
    try reader.first("SELECT id FROM audit_records ORDER BY id DESC LIMIT 1") { $0[0] } ?? 0
  }
}
