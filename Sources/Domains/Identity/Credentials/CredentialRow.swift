import Base
import DomainKit
import IdentityAPI
import Storage
import WellKnownTypes

/// A row of `identity_credentials`.
struct CredentialRow: Sendable {
  let id: Identifier
  /// Who answers for the machine.
  let owner: Identifier
  let kind: MachineKind
  let name: String
  let publicKey: [UInt8]
  let createdAt: Instant
  let expiresAt: Instant?
  let revokedAt: Instant?

  static let columns = "c.id, c.owner_id, c.kind, c.name, c.public_key, c.created_at, c.expires_at, c.revoked_at"

  init(_ row: any Row) {
    id = row[0]
    owner = row[1]
    guard let kind = MachineKind(rawValue: row[2]) else { preconditionFailure("a credential of no kind") }
    self.kind = kind
    name = row[3]
    publicKey = row[4]
    createdAt = row[5]
    expiresAt = row[6]
    revokedAt = row[7]
  }

  static func find(_ id: Identifier, in reader: any Reader) throws -> CredentialRow? {
    try reader.first("SELECT \(columns) FROM identity_credentials c WHERE c.id = $1", id, make: CredentialRow.init)
  }

  /// A credential, held by this transaction.
  static func findForUpdate(_ id: Identifier, in writer: any Writer) throws -> CredentialRow? {
    try writer.firstForUpdate(
      "SELECT \(columns) FROM identity_credentials c WHERE c.id = $1", id, make: CredentialRow.init)
  }

  /// Those of a user that have not been revoked.
  static func all(of owner: Identifier, in reader: any Reader) throws -> [CredentialRow] {
    try reader.rows(
      "SELECT \(columns) FROM identity_credentials c WHERE c.owner_id = $1 AND c.revoked_at IS NULL ORDER BY c.id",
      owner, make: CredentialRow.init)
  }

  /// All that a user has or had, oldest first.
  static func history(of owner: Identifier, in reader: any Reader) throws -> [CredentialRow] {
    try reader.rows(
      "SELECT \(columns) FROM identity_credentials c WHERE c.owner_id = $1 ORDER BY c.id", owner,
      make: CredentialRow.init)
  }

  /// Whether the machine may use it, as far as its owner may.
  func isLive(at now: Instant) -> Bool { revokedAt == nil && expiresAt.map { now < $0 } ?? true }
}

extension Credential {
  /// - Parameter grants: those of the credential.
  init(_ row: CredentialRow, _ grants: [GrantRow]) {
    self.init()
    id = row.id.text(kind: IDKind.credential)
    ownerID = row.owner.text(kind: IDKind.user)
    name = row.name
    kind = CredentialKind(row.kind)
    publicKey = row.publicKey
    self.grants = grants.map { Grant($0) }
    createTime = Timestamp(row.createdAt)
    expireTime = row.expiresAt.map { Timestamp($0) }
    revokeTime = row.revokedAt.map { Timestamp($0) }
  }
}

extension CredentialKind {
  init(_ kind: MachineKind) { self.init(rawValue: Int32(kind.rawValue)) }
}
