import Base
import Blobs
import DomainKit
import MediaAPI
import Storage
import WellKnownTypes

/// One blob.
struct BlobRow: Sendable {
  var id: Identifier
  var content: BlobID
  var kind: BlobKind
  var size: Int64
  var state: BlobState
  /// Empty unless it failed.
  var failure = ""
  var contentType = BlobRow.unknownType
  /// 0 for none, as the height.
  var width: Int32 = 0
  var height: Int32 = 0
  var duration: Duration?

  static let unknownType = "application/octet-stream"

  private static let columns = "id, content, kind, size, state, failure, content_type, width, height, duration_ms"

  init(id: Identifier, content: BlobID, kind: BlobKind, size: Int64, state: BlobState) {
    (self.id, self.content, self.kind, self.size, self.state) = (id, content, kind, size, state)
  }

  private init(_ row: any Row) {
    (id, content, size, failure, contentType) = (row[0], row[1], row[3], row[5], row[6])
    (kind, state) = (BlobKind(rawValue: row[2]), BlobState(rawValue: row[4]))
    (width, height) = (row[7], row[8])
    duration = (row[9] as Int64?).map { .milliseconds($0) }
  }

  func insert(in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO media_blobs (\(Self.columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", id, content,
      kind.rawValue, size, state.rawValue, failure, contentType, width, height, duration?.inMilliseconds)
  }

  /// Writes what may change.
  func update(in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE media_blobs SET state = $2, failure = $3, content_type = $4, width = $5, height = $6, duration_ms = $7
      WHERE id = $1
      """, id, state.rawValue, failure, contentType, width, height, duration?.inMilliseconds)
  }

  static func find(_ id: Identifier, in reader: any Reader) throws -> BlobRow? {
    try reader.first("SELECT \(columns) FROM media_blobs WHERE id = $1", id, make: BlobRow.init)
  }

  /// The same, and nobody else changes it before the commit.
  static func lock(_ id: Identifier, in writer: any Writer) throws -> BlobRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM media_blobs WHERE id = $1", id, make: BlobRow.init)
  }
}

extension MediaAPI.Blob {
  init(_ row: BlobRow) {
    self.init()
    id = row.id.text(kind: IDKind.blob)
    (kind, state, length) = (row.kind, row.state, row.size)
    sha256 = row.content.bytes
    contentType = row.contentType
    (widthPx, heightPx) = (row.width, row.height)
    duration = row.duration.map { ProtoDuration($0) }
    failure = row.failure
    createTime = Timestamp(row.id.createdAt)
  }
}
