import Base
import Cryptography
import DomainKit
import Storage

/// A row of `identity_contacts`, opened.
struct ContactRow: Sendable {
  let contact: Contact
  let claimedAt: Instant
  /// Nil for one that is not proved.
  let provedAt: Instant?
}

extension IdentityCore {
  /// The ways to reach a user, proved or not.
  func contacts(of user: Identifier, in reader: any Reader) throws -> [ContactRow] {
    guard let key = try authority.sealingKey(of: user, in: reader) else { return [] }
    let rows: [(kind: Int64, sealed: [UInt8], claimedAt: Instant, provedAt: Instant?)] = try reader.rows(
      "SELECT kind, sealed, claimed_at, proved_at FROM identity_contacts WHERE user_id = $1 ORDER BY kind", user
    ) { ($0[0], $0[1], $0[2], $0[3]) }
    return try rows.map { row in
      let address = String(decoding: try key.open(row.sealed, context: user.rawValue.bigEndianBytes), as: UTF8.self)
      return ContactRow(
        contact: row.kind == Contact.email("").kind ? .email(address) : .phone(address), claimedAt: row.claimedAt,
        provedAt: row.provedAt)
    }
  }
}
