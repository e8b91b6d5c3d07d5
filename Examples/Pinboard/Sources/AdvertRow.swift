import Base
import Storage

/// A row of pinboard_adverts.
struct AdvertRow {
  static let idKind = "advert"
  private static let columns = "id, owner_id, title, text, expires_at, section_id, is_private, removed_at, photo_id"

  let id: Identifier
  let owner: Identifier
  let title: String
  let text: String
  let expiresAt: Instant
  /// Nil for one in no section.
  let section: Identifier?
  let isPrivate: Bool
  /// Nil for one that moderators have not removed.
  let removedAt: Instant?
  /// Nil for one without.
  let photo: Identifier?

  /// Whether somebody sees it while it hangs; nil for somebody without an account.
  func isSeen(by user: Identifier?) -> Bool {
    removedAt == nil && (!isPrivate || user == owner)
  }

  /// One that hangs.
  static func find(_ id: Identifier, in reader: any Reader) throws -> AdvertRow? {
    try reader.first(
      "SELECT \(columns) FROM pinboard_adverts WHERE id = $1 AND down_at IS NULL", id, make: AdvertRow.init)
  }

  /// One that hangs, which is this transaction's until it ends: nobody takes it down meanwhile.
  static func hold(_ id: Identifier, in writer: any Writer) throws -> AdvertRow? {
    try writer.firstForUpdate(
      "SELECT \(columns) FROM pinboard_adverts WHERE id = $1 AND down_at IS NULL", id, make: AdvertRow.init)
  }

  /// Those that hang and somebody sees, newest first.
  static func hanging(
    before id: Identifier, for user: Identifier, limit: Int, in reader: any Reader
  ) throws -> [AdvertRow] {
    try reader.rows(
      """
      SELECT \(columns) FROM pinboard_adverts
      WHERE id < $1 AND down_at IS NULL AND removed_at IS NULL AND (is_private = 0 OR owner_id = $2)
      ORDER BY id DESC LIMIT $3
      """, id, user, limit, make: AdvertRow.init)
  }

  /// Somebody's, also those that came down, oldest first.
  static func list(
    of owner: Identifier, after id: Identifier, limit: Int, in reader: any Reader
  ) throws -> [AdvertRow] {
    try reader.rows(
      "SELECT \(columns) FROM pinboard_adverts WHERE owner_id = $1 AND id > $2 ORDER BY id LIMIT $3", owner, id, limit,
      make: AdvertRow.init)
  }
}

extension AdvertRow {
  /// Hangs a new one.
  func insert(in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO pinboard_adverts (id, owner_id, title, text, expires_at, section_id, photo_id)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      """, id, owner, title, text, expiresAt, section, photo)
  }

  private init(_ row: any Row) {
    self.init(
      id: row[0], owner: row[1], title: row[2], text: row[3], expiresAt: row[4], section: row[5], isPrivate: row[6],
      removedAt: row[7], photo: row[8])
  }
}
