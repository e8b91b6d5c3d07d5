import Base
import Blobs
import DomainKit
import MediaAPI
import Storage
import WellKnownTypes

/// One upload.
struct UploadRow: Sendable {
  var id: Identifier
  var user: Identifier
  var kind: BlobKind
  var state: UploadState
  /// Nil if the end marker says it.
  var length: Int64?
  var hash: BlobID?
  var offset: Int64
  var epoch: Int64
  var store: UploadID
  var blob: Identifier?
  var expiresAt: Instant

  /// Whether bytes may come still; by the clock it may have expired all the same.
  var isLive: Bool { state == .waiting || state == .receiving }

  private static let columns = """
    id, user_id, kind, state, declared_length, declared_hash, durable_offset, epoch, store_upload, blob_id, expires_at
    """

  private init(_ row: any Row) {
    (id, user) = (row[0], row[1])
    (kind, state) = (BlobKind(rawValue: row[2]), UploadState(rawValue: row[3]))
    (length, hash) = (row[4], row[5])
    (offset, epoch, store, blob, expiresAt) = (row[6], row[7], row[8], row[9], row[10])
  }

  init(
    id: Identifier, user: Identifier, kind: BlobKind, length: Int64?, hash: BlobID?, store: UploadID, expiresAt: Instant
  ) {
    self.id = id
    self.user = user
    self.kind = kind
    state = .waiting
    (self.length, self.hash) = (length, hash)
    (offset, epoch) = (0, 1)
    self.store = store
    self.expiresAt = expiresAt
  }

  func insert(in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO media_uploads (\(Self.columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", id, user,
      kind.rawValue, state.rawValue, length, hash, offset, epoch, store, blob, expiresAt)
  }

  /// The upload, for its owner.
  /// - Throws: `KitError.notFound` also for somebody else's.
  static func require(_ id: Identifier, of user: Identifier, in reader: any Reader) throws -> UploadRow {
    guard let row = try find(id, in: reader), row.user == user else { throw KitError.notFound("upload") }
    return row
  }

  static func find(_ id: Identifier, in reader: any Reader) throws -> UploadRow? {
    try reader.first("SELECT \(columns) FROM media_uploads WHERE id = $1", id, make: UploadRow.init)
  }

  /// The same, and nobody else changes it before the commit.
  static func lock(_ id: Identifier, in writer: any Writer) throws -> UploadRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM media_uploads WHERE id = $1", id, make: UploadRow.init)
  }

  /// Uploads whose time is over, the longest ago first.
  static func expired(at now: Instant, limit: Int, in reader: any Reader) throws -> [UploadRow] {
    try reader.rows(
      "SELECT \(columns) FROM media_uploads WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2", now, limit,
      make: UploadRow.init)
  }

  static func list(of user: Identifier, after: Identifier, limit: Int, in reader: any Reader) throws -> [UploadRow] {
    try reader.rows(
      "SELECT \(columns) FROM media_uploads WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3", user, after, limit,
      make: UploadRow.init)
  }

  /// Writes what may change.
  func update(in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE media_uploads SET state = $2, durable_offset = $3, epoch = $4, blob_id = $5, expires_at = $6 WHERE id = $1
      """, id, state.rawValue, offset, epoch, blob, expiresAt)
  }
}

extension MediaAPI.Upload {
  init(_ row: UploadRow) {
    self.init()
    id = row.id.text(kind: IDKind.upload)
    (kind, state) = (row.kind, row.state)
    length = row.length ?? 0
    sha256 = row.hash?.bytes ?? []
    (offset, epoch) = (row.offset, row.epoch)
    blobID = row.blob?.text(kind: IDKind.blob) ?? ""
    if row.isLive { expireTime = Timestamp(row.expiresAt) }
    createTime = Timestamp(row.id.createdAt)
  }
}
