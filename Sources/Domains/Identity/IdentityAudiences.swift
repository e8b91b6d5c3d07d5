import Base
import DomainKit
import Storage

/// Everybody with an account.
struct AllUsers: AudienceSource {
  let name = Audience.everybody.source

  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows(
      "SELECT id FROM identity_users WHERE id > $1 AND state <> $2 ORDER BY id LIMIT $3",
      after ?? Identifier(rawValue: .min), UserRow.State.erased.rawValue, limit
    ) { $0[0] }
  }
}

/// All who hold a role: the key is its name, and after a slash the resource's printed id if it is not held on the whole
/// platform.
struct RoleHolders: AudienceSource {
  let clock: any WallClock
  let name = Audience.holders(of: "").source

  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier] {
    let parts = key.split(separator: "/", maxSplits: 1)
    let resource = parts.count == 2 ? SubjectID(parsing: String(parts[1])) : nil
    // What is no id is no resource, and above all not the whole platform.
    guard let role = parts.first, (resource != nil) == (parts.count == 2) else { return [] }
    return try GrantRow.holders(
      of: String(role), on: resource, at: clock.now(), after: after, limit: limit, in: reader)
  }
}
