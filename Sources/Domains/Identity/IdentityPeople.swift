import Base
import DomainKit
import Storage

/// What other domains may know of people and do to their rights.
struct IdentityPeople: People {
  let authority: IdentityAuthority
  let grants: GrantBook

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
    try reader.first(
      """
      SELECT d.device_hash FROM identity_sessions s
      JOIN identity_devices d ON d.user_id = s.user_id AND d.id = s.device_id WHERE s.id = $1
      """, caller.session
    ) { $0[0] }
  }

  func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceHash] {
    try reader.rows(
      "SELECT device_hash FROM identity_devices WHERE user_id = $1 ORDER BY first_seen_at DESC LIMIT \(Self.deviceLimit)",
      user
    ) { $0[0] }
  }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet {
    try authority.roles(of: user, in: reader)
  }

  func grant(_ role: String, to user: Identifier, on resource: String?, in writer: any Writer) throws {
    _ = try grants.grant(role, to: .user(user), on: resource ?? "", until: nil, by: .server, in: writer)
  }

  func revoke(_ role: String, from user: Identifier, on resource: String?, in writer: any Writer) throws {
    guard let grant = try GrantRow.held(role, on: resource ?? "", by: user, in: writer) else { return }
    try grants.revoke(grant, by: .server, in: writer)
  }
}
