import Base
import Cryptography
import DomainKit
import Storage

/// A row of `audit_records`.
struct RecordRow: Sendable {
  let id: Int64
  let createdAt: Instant
  let actor: String
  let action: String
  let object: String
  let refusal: String
  let details: String
  /// Nil until it is sealed.
  let number: Int64?
  let hash: [UInt8]?

  static let columns = "id, created_at, actor, action, object, refusal, details, number, hash"

  init(_ row: any Row) {
    id = row[0]
    createdAt = row[1]
    actor = row[2]
    action = row[3]
    object = row[4]
    refusal = row[5]
    details = row[6]
    number = row[7]
    hash = row[8]
  }

  /// The number of the signed head that the record tells of; nil for other records.
  var signedHead: Int64? {
    guard action == "\(Sealer.signed)", let fact = facts.first, fact.name == AuditFact.count(0).name else { return nil }
    return Int64(fact.value)
  }

  /// What else is known of the action, by name.
  var facts: [(name: String, value: String)] {
    details.split(separator: "\n").map { line in
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
  }

  /// The record's link of the chain: BLAKE2b-256 over the link before, the number, and each column with its length.
  func link(number: Int64, after previous: [UInt8]) -> [UInt8] {
    var bytes = previous + number.bigEndianBytes + id.bigEndianBytes + createdAt.nanoseconds.bigEndianBytes
    for text in [actor, action, object, refusal, details] {
      bytes += Int64(text.utf8.count).bigEndianBytes
      bytes += text.utf8
    }
    return Hash.blake2b(bytes)
  }

  /// Those sealed after `number` up to `last`, in their order; at most `limit`.
  static func sealed(
    after number: Int64, upTo last: Int64, limit: Int, in reader: any Reader
  ) throws -> [RecordRow] {
    try reader.rows(
      "SELECT \(columns) FROM audit_records WHERE number > $1 AND number <= $2 ORDER BY number LIMIT $3",
      number, last, limit, make: RecordRow.init)
  }
}

/// The end of the chain.
struct ChainEnd: Sendable, Equatable {
  /// What the first link is made after.
  static let start = ChainEnd(number: 0, hash: [UInt8](repeating: 0, count: Hash.standardLength))

  var number: Int64
  var hash: [UInt8]

  /// The last record that was sealed.
  static func stored(in reader: any Reader) throws -> ChainEnd? {
    try reader.first("SELECT number, hash FROM audit_chain WHERE id = 1") { ChainEnd(number: $0[0], hash: $0[1]) }
  }
}
