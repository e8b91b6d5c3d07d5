import Base
import Cryptography
import DomainKit
import Storage

/// How people are reached: their proved contacts, opened with their own keys.
struct IdentityContacts: Contacts {
  let core: IdentityCore

  func provedContacts(of user: Identifier, in reader: any Reader) throws -> Set<ContactKind> {
    Set(
      try reader.rows("SELECT kind FROM identity_contacts WHERE user_id = $1 AND proved_at IS NOT NULL", user) {
        $0[0] as Int64
      }.compactMap { kind in ContactKind.all.first { $0.stored == kind } })
  }

  func contact(_ kind: ContactKind, of user: Identifier, in reader: any Reader) throws -> String? {
    let sealed: [UInt8]? = try reader.first(
      "SELECT sealed FROM identity_contacts WHERE user_id = $1 AND kind = $2 AND proved_at IS NOT NULL", user,
      kind.stored
    ) { $0[0] }
    guard let sealed, let key = try sealingKey(of: user, in: reader) else { return nil }
    return String(decoding: try key.open(sealed, context: user.rawValue.bigEndianBytes), as: UTF8.self)
  }

  func address(_ kind: ContactKind, parsing text: String) -> ContactAddress? {
    let contact =
      switch kind {
      case .email: Contact.email(parsing: text)
      case .phone: Contact.phone(parsing: text)
      }
    return contact.map { ContactAddress(kind, normalized: $0.address) }
  }

  func owner(of address: ContactAddress, in reader: any Reader) throws -> Identifier? {
    let contact: Contact =
      switch address.kind {
      case .email: .email(address.text)
      case .phone: .phone(address.text)
      }
    return try UserRow.find(contactKind: contact.kind, lookup: core.lookup(contact), in: reader)?.id
  }

  func sealingKey(of user: Identifier, in reader: any Reader) throws -> SealingKey? {
    try core.authority.sealingKey(of: user, in: reader)
  }
}

extension ContactKind {
  static let all: [ContactKind] = [.email, .phone]

  /// What `identity_contacts` calls it.
  var stored: Int64 {
    switch self {
    case .email: 1
    case .phone: 2
    }
  }
}
