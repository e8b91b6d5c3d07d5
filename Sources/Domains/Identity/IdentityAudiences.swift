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

/// All who hold a role, the key, on the whole platform.
struct RoleHolders: AudienceSource {
  let clock: any WallClock
  let name = Audience.holders(of: "").source

  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows(
      """
      SELECT user_id FROM identity_grants
      WHERE role = $1 AND resource = '' AND is_machine = 0 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
        AND user_id > $3
      ORDER BY user_id LIMIT $4
      """, key, clock.now(), after ?? Identifier(rawValue: .min), limit
    ) { $0[0] }
  }
}
