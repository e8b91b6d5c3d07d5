import Base
import Cryptography
import DomainKit
import IdentityAPI
import Storage

extension IdentityCore {
  /// Sends a code by which a user proves a contact, whoever else has it.
  func sendProvingCode(to contact: Contact, for user: Identifier, in writer: any Writer) throws -> CodeRow {
    guard let key = try authority.sealingKey(of: user, in: writer) else { throw KitError.sessionEnded }
    let kind = contact.contactKind
    let lookup = lookup(contact)
    return try codes.send(
      .contact(user, kind: kind.stored), to: (kind, lookup), sealed: seal(contact, of: user, with: key),
      limits: [.contact(.contact, lookup), .user(.contact, user, kind)], in: writer)
  }

  /// Sends a code by which a user steps up, to a contact that is proved.
  /// - Throws: `KitError.notFound`.
  func sendStepUpCode(by kind: DomainKit.ContactKind, to user: Identifier, in writer: any Writer) throws -> CodeRow {
    let lookup: [UInt8]? = try writer.first(
      "SELECT lookup FROM identity_contacts WHERE user_id = $1 AND kind = $2 AND proved_at IS NOT NULL", user,
      kind.stored
    ) { $0[0] }
    guard let lookup else { throw KitError.notFound("contact") }
    return try codes.send(
      .stepUp(user), to: (kind, lookup), sealed: nil,
      limits: [.contact(.stepUp, lookup), .user(.stepUp, user, kind)], in: writer)
  }

  /// The account that a contact belongs to.
  func owner(of contact: Contact) async throws -> UserRow? {
    let (kind, lookup) = (contact.kind, lookup(contact))
    return try await kit.database.read { try UserRow.find(contactKind: kind, lookup: lookup, in: $0) }
  }

  /// Makes a contact the user's, in place of the one of its kind, and of whoever had it.
  /// - Returns: the user as it is then.
  func prove(_ contact: Contact, of user: Identifier, in writer: any Writer) throws -> UserRow {
    let (kind, lookup, now) = (contact.kind, lookup(contact), kit.clock.now())
    let loser: Identifier? = try writer.first(
      """
      SELECT user_id FROM identity_contacts
      WHERE kind = $1 AND lookup = $2 AND proved_at IS NOT NULL AND user_id <> $3
      """, kind, lookup, user
    ) { $0[0] }
    // In one order, so that two who exchange contacts do not wait for each other.
    for one in [user, loser].compactMap({ $0 }).sorted() { _ = try UserRow.findForUpdate(one, in: writer) }
    // Before it was held, the loser may have proved another one in its place, which stays.
    if let loser,
      try writer.execute(
        "DELETE FROM identity_contacts WHERE user_id = $1 AND kind = $2 AND lookup = $3", loser, kind, lookup) == 1
    {
      try writer.execute(
        """
        UPDATE identity_users SET level = $2 WHERE id = $1 AND level = $3 AND NOT EXISTS (
          SELECT 1 FROM identity_contacts WHERE user_id = $1 AND proved_at IS NOT NULL)
        """, loser, UserLevel.none.rawValue, UserLevel.contact.rawValue)
      try kit.audit.record(
        AuditEntry(.word("contact.lost"), by: .user(user), on: SubjectID(IDKind.user, loser)), in: writer)
      try tell(loser, AccountNotices.contactGone, in: writer)
    }
    guard let key = try authority.sealingKey(of: user, in: writer) else { throw KitError.sessionEnded }
    let replaced: [UInt8]? = try writer.first(
      """
      SELECT sealed FROM identity_contacts
      WHERE user_id = $1 AND kind = $2 AND proved_at IS NOT NULL AND lookup <> $3
      """, user, kind, lookup
    ) { $0[0] }
    try writer.execute(
      """
      INSERT INTO identity_contacts (user_id, kind, sealed, lookup, claimed_at, proved_at)
      VALUES ($1, $2, $3, $4, $5, $5)
      ON CONFLICT (user_id, kind) DO UPDATE SET sealed = excluded.sealed, lookup = excluded.lookup,
        claimed_at = excluded.claimed_at, proved_at = excluded.proved_at
      """, user, kind, seal(contact, of: user, with: key), lookup, now)
    try writer.execute(
      """
      UPDATE identity_users SET drop_at = NULL, state = CASE WHEN state = $2 THEN $3 ELSE state END,
        level = CASE WHEN level < $4 THEN $4 ELSE level END
      WHERE id = $1
      """, user, UserRow.State.new.rawValue, UserRow.State.active.rawValue, UserLevel.contact.rawValue)
    if let replaced {
      let address = String(
        decoding: try key.open(replaced, context: user.rawValue.bigEndianBytes), as: UTF8.self)
      try tellOfReplacement(of: Contact(contact.contactKind, normalized: address), of: user, in: writer)
    }
    guard let row = try UserRow.find(user, in: writer) else { throw KitError.sessionEnded }
    return row
  }

  /// Forgets the codes of a user, and how often some were sent. Before the contacts go.
  func eraseCodes(of user: Identifier, in writer: any Writer) throws {
    let lookups: [[UInt8]] = try writer.rows(
      "SELECT lookup FROM identity_contacts WHERE user_id = $1 AND proved_at IS NOT NULL", user
    ) { $0[0] }
    let slots =
      [.stepUp(user)] + DomainKit.ContactKind.all.map { CodeSlot.contact(user, kind: $0.stored) }
      + lookups.map { .reset(lookup: $0) }
    for slot in slots { try writer.execute("DELETE FROM identity_codes WHERE slot = $1", slot.key) }
    let limits =
      DomainKit.ContactKind.all.flatMap { [.user(.contact, user, $0), CodeLimit.user(.stepUp, user, $0)] }
      + lookups.flatMap { lookup in
        [CodePurpose.contact, .stepUp, .reset].map { CodeLimit.contact($0, lookup) }
      }
    for limit in limits { try writer.execute("DELETE FROM identity_code_sends WHERE key = $1", limit.key) }
  }

  func seal(_ contact: Contact, of user: Identifier, with key: SealingKey) -> [UInt8] {
    key.seal(Array(contact.address.utf8), context: user.rawValue.bigEndianBytes)
  }
}
