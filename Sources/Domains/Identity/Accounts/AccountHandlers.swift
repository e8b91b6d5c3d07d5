import Base
import Cryptography
import DomainKit
import IdentityAPI
import RPC
import Storage
import WellKnownTypes

/// octet.identity.v1.AccountService.
struct AccountHandlers: AccountService {
  let core: IdentityCore

  func register(_ request: RegisterRequest, context: ServerContext) async throws -> User {
    let account = try NewAccount(request)
    // Also when the handle is taken: a repeat of a request that succeeded looks like that until its row is read.
    let passwordHash = try await core.passwords.hash(request.password)
    return try await core.kit.mutate(
      request, context, scope: .client(Array(account.handle.key.utf8)), complete: User.addPersonalData
    ) { writer in
      User(stored: try core.register(account, passwordHash: passwordHash, in: writer))
    }
  }
}

/// A valid request for an account.
struct NewAccount: Sendable {
  let handle: Handle
  let displayName: String
  let contact: Contact?

  init(handle: Handle, displayName: String, contact: Contact?) {
    self.handle = handle
    self.displayName = displayName
    self.contact = contact
  }

  /// - Throws: `IdentityError`.
  init(_ request: RegisterRequest) throws(IdentityError) {
    guard let handle = Handle(request.handle) else { throw .badHandle }
    let contact: Contact?
    switch request.contact {
    case nil: contact = nil
    case .email(let text):
      guard let email = Contact.email(parsing: text) else { throw .badEmail }
      contact = email
    case .phone(let text):
      guard let phone = Contact.phone(parsing: text) else { throw .badPhoneNumber }
      contact = phone
    }
    if let lack = PasswordRules.weakness(of: request.password, handle: handle, contact: contact) {
      throw .weakPassword(lack)
    }
    let name = request.displayName
    let hasName = name.unicodeScalars.contains { !$0.properties.isWhitespace }
    self.init(handle: handle, displayName: hasName ? name : handle.text, contact: contact)
  }
}

extension IdentityCore {
  /// Writes a new user. A contact is only claimed: whoever proves it first gets it, so nothing here depends on whether
  /// somebody has it already.
  /// - Throws: `IdentityError.handleTaken`.
  func register(_ account: NewAccount, passwordHash: String, in writer: any Writer) throws -> UserRow {
    let now = kit.clock.now()
    let id = kit.identifiers.next()
    let (userKey, sealedKey) = try userKeys.make(for: id)
    let inserted = try writer.execute(
      """
      INSERT INTO identity_users
        (id, handle, handle_key, display_name, password_hash, state, level, grants_epoch, sealing_key, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9) ON CONFLICT (handle_key) DO NOTHING
      """, id, account.handle.text, account.handle.key, account.displayName, passwordHash, UserRow.State.new.rawValue,
      UserLevel.none.rawValue, sealedKey, now)
    guard inserted == 1 else { throw IdentityError.handleTaken }
    if let contact = account.contact {
      try writer.execute(
        """
        INSERT INTO identity_contacts (user_id, kind, sealed, lookup, claimed_at, proved_at)
        VALUES ($1, $2, $3, $4, $5, NULL)
        """, id, contact.kind, userKey.seal(Array(contact.address.utf8), context: id.rawValue.bigEndianBytes),
        lookup(contact), now)
    }
    guard let row = try UserRow.find(id, in: writer) else { preconditionFailure("a user was written and is not there") }
    return row
  }
}

extension User {
  /// The part that a stored reply may hold: nothing personal, so that erasing the account reaches all of it.
  init(stored row: UserRow) {
    self.init()
    id = row.id.text(kind: IDKind.user)
    state = UserState(rawValue: Int32(row.state.rawValue))
    level = UserLevel(rawValue: row.level)
    createTime = Timestamp(row.createdAt)
  }

  /// Completes a stored reply.
  @Sendable static func addPersonalData(_ user: inout User, in reader: any Reader) throws {
    try user.addPersonalData(in: reader)
  }

  /// Adds the names from the user's row.
  mutating func addPersonalData(in reader: any Reader) throws {
    let user = try Identifier(id, kind: IDKind.user, field: "id")
    guard let row = try UserRow.find(user, in: reader) else { return }
    handle = row.handle
    displayName = row.displayName
  }
}

/// The kind prefixes of the domain's ids.
enum IDKind {
  static let user = "user"
  static let session = "sess"
  static let grant = "grant"
}
