import Base
import Blobs
import MediaAPI
import Storage

/// Something that is made of a blob.
struct RenditionRow: Sendable {
  var blob: Identifier
  var profile: String
  /// Nil until it is there; the rest is known then.
  var content: BlobID?
  var contentType = ""
  /// Empty for pictures.
  var codecs = ""
  var size: Int64 = 0
  var width: Int32 = 0
  var height: Int32 = 0
  /// Mean bits per second; 0 for pictures, as the number of segments.
  var bitRate: Int64 = 0
  var segments: Int32 = 0
  /// HLS, for videos.
  var playlist = ""

  private static let columns = """
    blob_id, profile, content, content_type, codecs, size, width, height, bit_rate, segments, playlist
    """

  init(blob: Identifier, profile: String) {
    (self.blob, self.profile) = (blob, profile)
  }

  private init(_ row: any Row) {
    (blob, profile, content, contentType, codecs) = (row[0], row[1], row[2], row[3], row[4])
    (size, width, height, bitRate, segments, playlist) = (row[5], row[6], row[7], row[8], row[9], row[10])
  }

  /// Writes all but the keys, or inserts the row.
  func put(in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO media_renditions (\(Self.columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
      ON CONFLICT (blob_id, profile) DO UPDATE SET content = excluded.content, content_type = excluded.content_type,
        codecs = excluded.codecs, size = excluded.size, width = excluded.width, height = excluded.height,
        bit_rate = excluded.bit_rate, segments = excluded.segments, playlist = excluded.playlist
      """, blob, profile, content, contentType, codecs, size, width, height, bitRate, segments, playlist)
  }

  static func find(_ blob: Identifier, _ profile: String, in reader: any Reader) throws -> RenditionRow? {
    try reader.first(
      "SELECT \(columns) FROM media_renditions WHERE blob_id = $1 AND profile = $2", blob, profile,
      make: RenditionRow.init)
  }

  static func list(of blob: Identifier, in reader: any Reader) throws -> [RenditionRow] {
    try reader.rows(
      "SELECT \(columns) FROM media_renditions WHERE blob_id = $1 ORDER BY profile", blob, make: RenditionRow.init)
  }
}

extension MediaAPI.Rendition {
  init(_ row: RenditionRow) {
    self.init()
    profile = row.profile
    isReady = row.content != nil
    (contentType, codecs, length) = (row.contentType, row.codecs, row.size)
    (widthPx, heightPx, bitRateBps, segments) = (row.width, row.height, row.bitRate, row.segments)
  }
}
