import Base
import DomainKit
import IdentityAPI
import Storage

/// A row of `identity_users`.
struct UserRow: Sendable {
  /// As in octet.identity.v1.UserState.
  enum State: Int64, Sendable {
    case new = 1
    case active = 2
    case suspended = 3
    case closing = 4
    case erased = 5
  }

  let id: Identifier
  let handle: String
  let displayName: String
  let passwordHash: String
  let state: State
  /// As in octet.identity.v1.UserLevel.
  let level: Int32
  /// Rises with each change of the user's grants.
  let grantsEpoch: Int64
  let createdAt: Instant
  let about: String
  /// Rises with each change of how the user is shown.
  let profileVersion: Int64
  /// When a closing account is erased; nil for one that is not closing.
  let erasesAt: Instant?
  /// Sealed; nil for a user who has not told it.
  let birthDate: [UInt8]?
  /// The blob that is the picture; nil for none.
  let photo: Identifier?

  /// The same in the words of the kit.
  var accountLevel: AccountLevel {
    switch UserLevel(rawValue: level) {
    case .verified: .verified
    case .contact: .contact
    default: .none
    }
  }

  static func find(_ user: Identifier, in reader: any Reader) throws -> UserRow? {
    try reader.first("SELECT \(columns) FROM identity_users u WHERE u.id = $1", user, make: UserRow.init)
  }

  /// A user, held by this transaction.
  static func findForUpdate(_ user: Identifier, in writer: any Writer) throws -> UserRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM identity_users u WHERE u.id = $1", user, make: UserRow.init)
  }

  static func find(handleKey: String, in reader: any Reader) throws -> UserRow? {
    try reader.first("SELECT \(columns) FROM identity_users u WHERE u.handle_key = $1", handleKey, make: UserRow.init)
  }

  /// The user to whom a contact belongs: the one who proved it.
  static func find(contactKind: Int64, lookup: [UInt8], in reader: any Reader) throws -> UserRow? {
    try reader.first(
      """
      SELECT \(columns) FROM identity_contacts c JOIN identity_users u ON u.id = c.user_id
      WHERE c.kind = $1 AND c.lookup = $2 AND c.proved_at IS NOT NULL
      """, contactKind, lookup, make: UserRow.init)
  }

  private static let columns =
    """
    u.id, u.handle, u.display_name, u.password_hash, u.state, u.level, u.grants_epoch, u.created_at, u.about, \
    u.profile_version, u.erases_at, u.birth_date, u.photo_id
    """

  private init(_ row: any Row) {
    id = row[0]
    handle = row[1]
    displayName = row[2]
    passwordHash = row[3]
    guard let state = State(rawValue: row[4]) else { preconditionFailure("identity_users holds a strange state") }
    self.state = state
    level = row[5]
    grantsEpoch = row[6]
    createdAt = row[7]
    about = row[8]
    profileVersion = row[9]
    erasesAt = row[10]
    birthDate = row[11]
    photo = row[12]
  }
}
