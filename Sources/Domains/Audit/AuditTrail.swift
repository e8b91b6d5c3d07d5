public import Base
public import DomainKit
public import Storage

/// Writes records, each in the transaction of what it records. Sealing them is the work of the sealer.
public struct AuditTrail: Audit {
  /// Things whose records are looked up with one statement.
  private static let objectsAtOnce = 256

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

  public func mentions(
    of words: [StaticString], on objects: [SubjectID], with facts: Set<String>, in reader: any Reader
  ) throws -> [AuditMention: Int]? {
    var mentions: [AuditMention: Int] = [:]
    let words = Set(words.map { "\($0)" })
    for piece in objects.filledPieces(of: Self.objectsAtOnce) {
      // Words are sorted out here: an engine might look for all records of a word in place of a few things.
      let sql = """
        SELECT action, object, details FROM audit_records
        WHERE object IN \(placeholders(from: 1, count: Self.objectsAtOnce))
        """
      try reader.forEachRow(sql, piece.map(\.text.sqlValue)) { row in
        guard words.contains(row[0]) else { return true }
        let lines = (row[2] as String).split(separator: "\n").filter { facts.contains(String($0.prefix { $0 != "=" })) }
        let mention = AuditMention(word: row[0], object: row[1], facts: lines.map(String.init))
        mentions[mention, default: 0] += 1
        return true
      }
    }
    return mentions
  }

  public func sequence(in reader: any Reader) throws -> Int64 {
    try reader.first("SELECT id FROM audit_records ORDER BY id DESC LIMIT 1") { $0[0] } ?? 0
  }
}
