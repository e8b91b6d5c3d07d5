import Base
import DomainKit
import Storage

/// A row of `identity_grants`.
struct GrantRow: Sendable {
  let id: Identifier
  /// The user, or for a machine its credential.
  let user: Identifier
  let role: String
  /// Empty for the whole platform.
  let resource: String
  let createdAt: Instant
  let expiresAt: Instant?
  let revokedAt: Instant?
  let isMachine: Bool

  var holder: Holder { isMachine ? .machine(user) : .user(user) }

  static let columns = "id, user_id, role, resource, created_at, expires_at, revoked_at, is_machine"

  init(_ row: any Row) {
    id = row[0]
    user = row[1]
    role = row[2]
    resource = row[3]
    createdAt = row[4]
    expiresAt = row[5]
    revokedAt = row[6]
    isMachine = row[7]
  }

  /// Whether it has neither been revoked nor expired.
  func isInForce(at now: Instant) -> Bool { revokedAt == nil && expiresAt.map { now < $0 } ?? true }

  /// Whether it ends by itself no sooner than another one.
  func lasts(asLongAs other: GrantRow) -> Bool {
    guard let expiresAt else { return true }
    return other.expiresAt.map { $0 <= expiresAt } ?? false
  }

  static func find(_ grant: Identifier, in reader: any Reader) throws -> GrantRow? {
    try reader.first("SELECT \(columns) FROM identity_grants WHERE id = $1", grant, make: GrantRow.init)
  }

  /// The grant of a role that has not been revoked; it may have expired.
  static func held(
    _ role: String, on resource: String, by user: Identifier, in reader: any Reader
  ) throws -> GrantRow? {
    try reader.first(
      """
      SELECT \(columns) FROM identity_grants
      WHERE user_id = $1 AND role = $2 AND resource = $3 AND revoked_at IS NULL
      """, user, role, resource, make: GrantRow.init)
  }

  /// The grants of a user that have not been revoked; some may have expired.
  static func all(of user: Identifier, in reader: any Reader) throws -> [GrantRow] {
    try reader.rows(
      "SELECT \(columns) FROM identity_grants WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id", user,
      make: GrantRow.init)
  }

  /// All that a user or credential has or had, oldest first.
  static func history(of holder: Identifier, in reader: any Reader) throws -> [GrantRow] {
    try reader.rows(
      "SELECT \(columns) FROM identity_grants WHERE user_id = $1 ORDER BY id", holder, make: GrantRow.init)
  }

  /// Some of all grants, by holder and role.
  /// - Parameter last: the last one of those before.
  static func all(after last: GrantRow?, limit: Int, in reader: any Reader) throws -> [GrantRow] {
    try reader.rows(
      """
      SELECT \(columns) FROM identity_grants WHERE (user_id, role, id) > ($1, $2, $3)
      ORDER BY user_id, role, id LIMIT $4
      """, last?.user ?? Identifier(rawValue: .min), last?.role ?? "", last?.id ?? Identifier(rawValue: .min), limit,
      make: GrantRow.init)
  }

  /// Some grants on a thing that have not been revoked, in one order.
  static func all(on resource: SubjectID, limit: Int, in reader: any Reader) throws -> [GrantRow] {
    try reader.rows(
      "SELECT \(columns) FROM identity_grants WHERE resource = $1 AND revoked_at IS NULL ORDER BY id LIMIT $2",
      resource.text, limit, make: GrantRow.init)
  }

  /// The last grant of a role, be it held or not.
  static func newest(
    _ role: String, on resource: String, of user: Identifier, in reader: any Reader
  ) throws -> GrantRow? {
    try reader.first(
      """
      SELECT \(columns) FROM identity_grants WHERE user_id = $1 AND role = $2 AND resource = $3
      ORDER BY id DESC LIMIT 1
      """, user, role, resource, make: GrantRow.init)
  }

  /// Whether somebody else took a role on the whole platform from a user, and nobody has given it since.
  static func isWithdrawn(_ role: String, from user: Identifier, in reader: any Reader) throws -> Bool {
    try reader.first(
      """
      SELECT is_withdrawn FROM identity_grants WHERE user_id = $1 AND role = $2 AND resource = ''
      ORDER BY id DESC LIMIT 1
      """, user, role
    ) { $0[0] } ?? false
  }

  /// What a user has been granted, what has expired included.
  static func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet {
    RoleSet(
      try reader.rows(
        "SELECT role, resource, expires_at FROM identity_grants WHERE user_id = $1 AND revoked_at IS NULL", user
      ) { row in
        let resource: String = row[1]
        return RoleGrant(role: row[0], resource: resource.isEmpty ? nil : resource, expiresAt: row[2])
      })
  }

  /// Makes this transaction the only one that changes the grants by which users hold a role on a resource.
  static func hold(_ role: String, on resource: String, in writer: any Writer) throws {
    _ = try writer.rows(
      "SELECT id FROM identity_grants WHERE resource = $1 AND role = $2 AND is_machine = 0 AND revoked_at IS NULL ORDER BY id"
        + writer.dialect.forUpdate, resource, role
    ) { $0[0] as Identifier }
  }

  /// The grants by which users, no machines, hold a role on a resource at `now`. Whoever is about to go keeps nothing.
  static func keepers(
    of role: String, on resource: String, at now: Instant, in reader: any Reader
  ) throws -> [GrantRow] {
    try reader.rows(
      """
      SELECT \(columns) FROM identity_grants
      WHERE resource = $1 AND role = $2 AND is_machine = 0 AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > $3)
        AND EXISTS (SELECT 1 FROM identity_users u WHERE u.id = user_id AND u.state NOT IN ($4, $5))
      """, resource, role, now, UserRow.State.closing.rawValue, UserRow.State.erased.rawValue, make: GrantRow.init)
  }

  /// The users, no machines, who hold a role at `now`, in rising order.
  static func holders(
    of role: String, on resource: SubjectID?, at now: Instant, after: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [Identifier] {
    try reader.rows(
      """
      SELECT user_id FROM identity_grants
      WHERE role = $1 AND resource = $2 AND is_machine = 0 AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > $3) AND user_id > $4
      ORDER BY user_id LIMIT $5
      """, role, resource?.text ?? "", now, after ?? Identifier(rawValue: .min), limit
    ) { $0[0] }
  }
}
