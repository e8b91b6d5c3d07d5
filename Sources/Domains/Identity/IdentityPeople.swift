import Base
import DomainKit
import IdentityAPI
import Storage

/// What other domains may know of people and do to their rights.
struct IdentityPeople: People {
  let core: IdentityCore

  /// Devices of one user that others are told of.
  private static let deviceLimit = 100

  func person(_ user: Identifier, in reader: any Reader) throws -> Person? {
    guard let row = try UserRow.find(user, in: reader), row.state != .erased else { return nil }
    return Person(user: user, handle: row.handle, displayName: row.displayName)
  }

  func user(handle: String, in reader: any Reader) throws -> Identifier? {
    try UserRow.find(handleKey: handle.lowercased(), in: reader)?.id
  }

  func preferences(of user: Identifier, in reader: any Reader) throws -> PersonalPreferences {
    let row = try PreferencesRow.find(user, in: reader)
    var preferences = PersonalPreferences()
    if !row.language.isEmpty { preferences.language = row.language }
    if !row.timeZone.isEmpty { preferences.timeZone = row.timeZone }
    preferences.region = row.region.isEmpty ? nil : row.region
    preferences.currency = row.currency.isEmpty ? nil : row.currency
    return preferences
  }

  func device(of caller: Caller, in reader: any Reader) throws -> DeviceHash? {
    try Self.device(of: caller, in: reader)?.hash
  }

  /// The device that a caller's session was begun on.
  static func device(of caller: Caller, in reader: any Reader) throws -> KnownDevice? {
    try reader.first(
      """
      SELECT d.device_hash, d.first_seen_at FROM identity_sessions s
      JOIN identity_devices d ON d.user_id = s.user_id AND d.id = s.device_id WHERE s.id = $1
      """, caller.session
    ) { KnownDevice(hash: $0[0], since: $0[1]) }
  }

  func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceHash] {
    try reader.rows(
      "SELECT device_hash FROM identity_devices WHERE user_id = $1 ORDER BY first_seen_at DESC LIMIT \(Self.deviceLimit)",
      user
    ) { $0[0] }
  }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet {
    try core.authority.roles(of: user, in: reader)
  }

  func holders(
    of role: String, on resource: SubjectID?, after: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [Identifier] {
    try GrantRow.holders(
      of: role, on: resource, at: core.kit.clock.now(), after: after, limit: limit, in: reader)
  }

  func grant(
    _ role: String, to user: Identifier, on resource: SubjectID?, until expiresAt: Instant?, in writer: any Writer
  ) throws {
    precondition(!core.kit.roles.isStaff(role), "a domain gives \(role), which only staff gives")
    _ = try core.grants.grant(
      role, to: .user(user), on: resource?.text ?? "", until: expiresAt, by: .server, in: writer)
  }

  func revoke(_ role: String, from user: Identifier, on resource: SubjectID?, in writer: any Writer) throws {
    try core.grants.revoke(role, from: user, on: resource?.text ?? "", in: writer)
  }

  func isLeaving(_ user: Identifier, in reader: any Reader) throws -> Bool {
    // Closing, and nothing takes it back any more (`Closing.mayErase`).
    try !reader.exists(
      "SELECT 1 FROM identity_users WHERE id = $1 AND state <> $2 AND (state <> $3 OR closed_from IS NOT NULL)", user,
      UserRow.State.erased.rawValue, UserRow.State.closing.rawValue)
  }

  func facts(of user: Identifier, in reader: any Reader) throws -> PersonFacts? {
    guard let row = try UserRow.find(user, in: reader), row.state != .erased else { return nil }
    return PersonFacts(
      level: row.accountLevel, since: row.createdAt, birthDate: try core.birthDate(of: row, in: reader))
  }

  func facts(of caller: Caller, in reader: any Reader) throws -> CallerFacts? {
    guard !caller.isMachine, let person = try facts(of: caller.user, in: reader),
      let session = try SessionRow.find(caller.session, in: reader), session.user == caller.user
    else { return nil }
    return CallerFacts(
      person: person, device: try Self.device(of: caller, in: reader), signedInAt: session.signedInAt,
      provedAt: session.provedAt, preferences: try preferences(of: caller.user, in: reader))
  }

  func address(_ address: Identifier, of user: Identifier, in reader: any Reader) throws -> PersonalAddress? {
    let row = try reader.first(
      "SELECT \(AddressRow.columns) FROM identity_addresses WHERE user_id = $1 AND id = $2", user, address,
      make: AddressRow.init)
    guard let row, let key = try core.authority.sealingKey(of: user, in: reader),
      let postal = try Address(row, key).address
    else { return nil }
    var address = PersonalAddress()
    address.recipient = postal.recipient
    address.lines = postal.lines
    address.locality = postal.locality
    address.administrativeArea = postal.administrativeArea
    address.postalCode = postal.postalCode
    address.region = postal.regionCode
    address.phone = postal.phone.isEmpty ? nil : postal.phone
    return address
  }
}
