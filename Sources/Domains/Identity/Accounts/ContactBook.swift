import Base
import Cryptography
import DomainKit
import Storage

extension IdentityCore {
  /// The ways to reach a user, proved or not.
  func contacts(of user: Identifier, in reader: any Reader) throws -> [Contact] {
    guard let key = try authority.sealingKey(of: user, in: reader) else { return [] }
    let rows: [(kind: Int64, sealed: [UInt8])] = try reader.rows(
      "SELECT kind, sealed FROM identity_contacts WHERE user_id = $1 ORDER BY kind", user
    ) { ($0[0], $0[1]) }
    return try rows.map { kind, sealed in
      let address = String(decoding: try key.open(sealed, context: user.rawValue.bigEndianBytes), as: UTF8.self)
      return kind == Contact.email("").kind ? .email(address) : .phone(address)
    }
  }
}
