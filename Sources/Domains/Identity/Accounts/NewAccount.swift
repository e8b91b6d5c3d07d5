import Base
import DomainKit
import IdentityAPI
import Storage

/// A valid request for an account.
struct NewAccount: Sendable {
  let handle: Handle
  let displayName: String
  let contact: Contact?
  let birthDate: CivilDate?

  init(handle: Handle, displayName: String) {
    self.handle = handle
    self.displayName = displayName
    contact = nil
    birthDate = nil
  }

  /// - Throws: `IdentityError`, several of them as `InvalidRequest`.
  init(_ request: RegisterRequest, now: Instant) throws {
    var faults = Faults()
    let wanted = Handle(request.handle)
    if wanted == nil { faults.note(IdentityError.badHandle) }
    contact =
      switch request.contact {
      case nil: nil
      case .email(let text): try faults.check { try Contact.email(of: text) }
      case .phone(let text): try faults.check { try Contact.phone(of: text) }
      }
    if let lack = PasswordRules.weakness(of: request.password, handle: wanted, contact: contact) {
      faults.note(IdentityError.weakPassword(lack))
    }
    birthDate = try faults.check { try BirthDate.day(of: request.birthDate, now: now) } ?? nil
    try faults.throwIfAny()
    guard let wanted else { preconditionFailure("a bad handle is a fault") }
    handle = wanted
    displayName = Self.isBlank(request.displayName) ? wanted.text : request.displayName
  }

  /// Whether a name shows nothing.
  static func isBlank(_ name: String) -> Bool { name.unicodeScalars.allSatisfy(\.properties.isWhitespace) }
}

extension IdentityCore {
  /// Writes a new user. A contact is only claimed: whoever proves it gets it, so nothing here depends on whether
  /// somebody has it already.
  /// - Parameter dropAt: when the account goes unless it has proved a contact; nil for one that stays.
  /// - Throws: `IdentityError.handleTaken`.
  func register(
    _ account: NewAccount, passwordHash: String, dropAt: Instant?, in writer: any Writer
  ) throws -> UserRow {
    let now = kit.clock.now()
    let id = kit.identifiers.next()
    let (userKey, sealedKey) = try userKeys.make(for: id)
    let inserted = try writer.execute(
      """
      INSERT INTO identity_users
        (id, handle, handle_key, display_name, password_hash, state, level, grants_epoch, sealing_key, created_at,
         drop_at, birth_date)
      VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11) ON CONFLICT (handle_key) DO NOTHING
      """, id, account.handle.text, account.handle.key, account.displayName, passwordHash, UserRow.State.new.rawValue,
      UserLevel.none.rawValue, sealedKey, now, dropAt,
      account.birthDate.map { BirthDate.seal($0, of: id, with: userKey) })
    guard inserted == 1 else { throw IdentityError.handleTaken }
    if let contact = account.contact {
      try writer.execute(
        """
        INSERT INTO identity_contacts (user_id, kind, sealed, lookup, claimed_at, proved_at)
        VALUES ($1, $2, $3, $4, $5, NULL)
        """, id, contact.kind, seal(contact, of: id, with: userKey),
        lookup(contact), now)
    }
    try kit.findables.update(SubjectID(IDKind.user, id), in: writer)
    guard let row = try UserRow.find(id, in: writer) else { preconditionFailure("a user was written and is not there") }
    return row
  }
}
