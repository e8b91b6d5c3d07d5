import Base
import Blobs
import DomainKit
import IdentityAPI
import Storage
import WellKnownTypes

/// What identity keeps about people: the account and its key, contacts, devices, sessions, addresses, preferences.
struct IdentityRecords: PersonalRecords {
  let core: IdentityCore
  let name = IdentityDomain.name

  /// Rows that one transaction erases.
  private static let erasedAtOnce = 256

  /// Somebody must keep the roles that need a holder.
  func blockers(of user: Identifier, in writer: any Writer) throws -> [String] {
    let now = core.kit.clock.now()
    let isLast = try GrantRow.all(of: user, in: writer).contains { try core.grants.isLast($0, at: now, in: writer) }
    return isLast ? ["last_owner"] : []
  }

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    guard let row = try UserRow.findForUpdate(user, in: writer), row.state != .erased else { return false }
    for condition in ["IS NULL", "IS NOT NULL"] {
      let count = try writer.execute(
        """
        DELETE FROM identity_sessions WHERE id IN (
          SELECT id FROM identity_sessions WHERE user_id = $1 AND ended_at \(condition) ORDER BY id LIMIT $2)
        """, user, Self.erasedAtOnce)
      if count == Self.erasedAtOnce { return true }
    }
    try Exports(core: core).erase(of: user, in: writer)
    try core.eraseCodes(of: user, in: writer)
    for table in ["contacts", "devices", "addresses", "preferences"] {
      try writer.execute("DELETE FROM identity_\(table) WHERE user_id = $1", user)
    }
    try core.credentials.erase(of: user, in: writer)
    try core.eraseVerifications(of: user, in: writer)
    try ProfilePhoto.set(.none, of: row, core.files, in: writer)
    try writer.execute(
      "DELETE FROM identity_login_failures WHERE name_hash = $1",
      core.loginNameHash(.handle(row.handle.lowercased())))
    for grant in try GrantRow.all(of: user, in: writer) { try core.grants.revoke(grant, by: .server, in: writer) }
    try writer.execute(
      """
      UPDATE identity_users SET state = $2, handle = '', handle_key = NULL, display_name = '', about = '',
        password_hash = '', birth_date = NULL, sealing_key = $3, level = $4, closed_from = NULL, erases_at = NULL,
        drop_at = NULL, erased_at = $5
      WHERE id = $1
      """, user, UserRow.State.erased.rawValue, [UInt8](), UserLevel.none.rawValue, core.kit.clock.now())
    core.authority.noteErased(user, in: writer)
    try core.kit.subjects.visibilityChanged(of: SubjectID(IDKind.user, user), in: writer)
    try core.kit.audit.record(
      AuditEntry(.word("account.erased"), by: .server, on: SubjectID(IDKind.user, user)), in: writer)
    return false
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    guard let row = try UserRow.find(user, in: reader) else { return }
    let json = try ExportJSON(IdentityDomain.descriptors)
    var account = User(stored: row)
    try account.addPersonalData(in: reader)
    try json.write(account, to: record)
    var profile = try core.ownProfile(row, in: reader)
    // They follow in messages of their own, with those that are not proved.
    profile.contacts = []
    try json.write(profile, to: record)
    try json.write(core.preferences(PreferencesRow.find(user, in: reader), of: user, in: reader), to: record)
    for contact in try contacts(of: user, in: reader) { try json.write(contact, to: record) }
    for address in try addresses(of: user, in: reader) { try json.write(address, to: record) }
    let now = core.kit.clock.now()
    for row in try devices(of: user, in: reader) { try json.write(row, to: record) }
    for condition in ["IS NULL", "IS NOT NULL"] {
      try reader.forEachRow(
        "SELECT \(SessionRow.columns) FROM identity_sessions s WHERE s.user_id = $1 AND s.ended_at \(condition) ORDER BY s.id",
        [user.sqlValue]
      ) { columns in
        let row = SessionRow(columns)
        var session = Session(stored: row, at: now, current: false)
        session.addPersonalData(row)
        try json.write(session, to: record)
        return true
      }
    }
    for grant in try GrantRow.history(of: user, in: reader) { try json.write(Grant(grant), to: record) }
    for verification in try VerificationRow.messages(of: VerificationRow.all(of: user, in: reader), in: reader) {
      try json.write(verification, to: record)
    }
    for credential in try CredentialRow.history(of: user, in: reader) {
      try json.write(Credential(credential, GrantRow.history(of: credential.id, in: reader)), to: record)
    }
  }

  private func contacts(of user: Identifier, in reader: any Reader) throws -> [ExportedContact] {
    try core.contacts(of: user, in: reader).map { row in
      var message = ExportedContact()
      message.address = row.contact.address
      message.claimTime = Timestamp(row.claimedAt)
      message.proofTime = row.provedAt.map { Timestamp($0) }
      return message
    }
  }

  private func devices(of user: Identifier, in reader: any Reader) throws -> [ExportedDevice] {
    try reader.rows("SELECT first_seen_at FROM identity_devices WHERE user_id = $1 ORDER BY id", user) { row in
      var message = ExportedDevice()
      message.firstUseTime = Timestamp(row[0] as Instant)
      return message
    }
  }

  private func addresses(of user: Identifier, in reader: any Reader) throws -> [Address] {
    guard let key = try core.authority.sealingKey(of: user, in: reader) else { return [] }
    return try reader.rows(
      "SELECT \(AddressRow.columns) FROM identity_addresses WHERE user_id = $1 ORDER BY id", user, make: AddressRow.init
    ).map { try Address($0, key) }
  }
}
