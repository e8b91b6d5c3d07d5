import Base
import DomainKit
import Storage

/// Computes the chain again and compares. It reads piece after piece, so that no transaction is long: what is sealed
/// does not change, and what is sealed meanwhile is left for the next time.
struct ChainVerifier: Sendable {
  /// Records of one piece.
  private static let piece = 1000

  let kit: Kit
  let publicKey: [UInt8]

  /// What was found whole.
  struct Result: Sendable {
    var records: Int64 = 0
    var heads: Int64 = 0
    var waiting: Int64 = 0
    var newestHead: HeadRow?
  }

  /// Where the chain is verified to.
  private struct Place {
    var end = ChainEnd.start
    /// The heads that were found up to there.
    var heads: Set<Int64> = []
  }

  /// - Throws: `AuditError.chainBroken`.
  func verify() async throws -> Result {
    let (stored, newest, waiting) = try await kit.database.read { reader in
      (
        try ChainEnd.stored(in: reader), try HeadRow.newest(in: reader),
        try reader.first("SELECT COUNT(*) FROM audit_records WHERE number IS NULL") { $0[0] as Int64 } ?? 0
      )
    }
    // A head tells how far the chain went, whatever has become of its end.
    let last = max(stored?.number ?? 0, newest?.number ?? 0)
    var place = Place()
    while place.end.number < last {
      let from = place.end.number
      let (rows, heads) = try await kit.database.read { reader in
        let rows = try RecordRow.sealed(after: from, upTo: last, limit: Self.piece, in: reader)
        let heads = try reader.rows(
          "SELECT \(HeadRow.columns) FROM audit_heads WHERE number > $1 AND number <= $2 ORDER BY number",
          from, rows.last?.number ?? last, make: HeadRow.init)
        return (rows, heads)
      }
      try check(rows, heads, &place)
      if rows.isEmpty { throw AuditError.chainBroken(number: place.end.number + 1) }
    }
    let end = place.end
    guard stored ?? .start == end else {
      throw AuditError.chainBroken(number: min(end.number, (stored?.number ?? 0) + 1))
    }
    return Result(records: end.number, heads: Int64(place.heads.count), waiting: waiting, newestHead: newest)
  }

  private func check(_ rows: [RecordRow], _ heads: [HeadRow], _ place: inout Place) throws {
    var heads = heads[...]
    for row in rows {
      let number = place.end.number + 1
      let link = row.link(number: number, after: place.end.hash)
      guard row.number == number, row.hash == link else { throw AuditError.chainBroken(number: number) }
      place.end = ChainEnd(number: number, hash: link)
      if let signed = row.signedHead, !place.heads.contains(signed) { throw AuditError.chainBroken(number: signed) }
      guard let head = heads.first, head.number == number else { continue }
      guard head.hash == link, head.isSigned(by: publicKey) else { throw AuditError.chainBroken(number: number) }
      heads.removeFirst()
      place.heads.insert(number)
    }
  }
}
