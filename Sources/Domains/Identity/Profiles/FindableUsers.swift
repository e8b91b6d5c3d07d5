import Base
import DomainKit
import IdentityAPI
import Storage

/// Users whose profile is everybody's are found by their name and handle.
struct FindableUsers: FindableKind {
  var prefix: String { IDKind.user }

  func entry(of id: Identifier, in reader: any Reader) throws -> FindableEntry? {
    guard let user = try UserRow.find(id, in: reader), user.state == .new || user.state == .active,
      try PreferencesRow.find(id, in: reader).visibility == .public
    else { return nil }
    return FindableEntry(title: user.displayName, summary: user.about, words: user.handle, isPersonal: true)
  }

  func things(after id: Identifier, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows(
      "SELECT id FROM identity_users WHERE id > $1 ORDER BY id LIMIT $2", id, limit
    ) { $0[0] }
  }
}
