public import Base
public import Storage

/// Who needs a blob: a row of some component, by its kind (`media.original`) and key.
public struct BlobOwner: Sendable, Hashable {
  public var kind: String
  public var key: String

  public init(_ kind: String, _ key: String) {
    self.kind = kind
    self.key = key
  }
}

/// An upload whose content is complete, durable and under its name, and waits for a transaction to adopt it.
public struct FinishedUpload: Sendable, Equatable {
  public let upload: UploadID
  public let blob: BlobID

  /// In bytes.
  public let size: UInt64
}

/// A blob that somebody refers to.
public struct BlobInfo: Sendable, Equatable {
  public let id: BlobID

  /// In bytes.
  public let size: UInt64
  public let createdAt: Instant
  let upload: UploadID

  var key: BlobKey { BlobKey(blob: id, upload: upload) }
}

/// References to blobs, made and taken away in the caller's transaction: a blob is visible if and only if a committed
/// row refers to it.
public struct BlobReferences: Sendable {
  private let clock: any WallClock

  public init(clock: any WallClock) {
    self.clock = clock
  }

  /// Makes a finished upload a blob that `owner` refers to. If the same content is there already, that one is used, and
  /// the bytes of this upload go to the trash.
  /// - Throws: `BlobError` `.unknownUpload` if it was given up, has been adopted, or never was; `StorageError`.
  public func adopt(_ finished: FinishedUpload, by owner: BlobOwner, in writer: any Writer) throws {
    // The one who takes the row away decides what becomes of the upload: this transaction or the collector.
    let isOurs = try writer.execute(
      "DELETE FROM octet_blob_uploads WHERE id = $1 AND content = $2 AND size = $3",
      finished.upload, finished.blob, finished.size)
    guard isOurs == 1 else {
      throw BlobError(.unknownUpload, operation: "adopt", message: "the upload was given up or adopted already")
    }
    let isNew = try writer.execute(
      """
      INSERT INTO octet_blobs (id, upload, size, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING
      """, finished.blob, finished.upload, finished.size, clock.now())
    if isNew == 0 {
      // Held until the commit, so that the collector does not take it away meanwhile.
      let isThere = try writer.firstForUpdate(
        "SELECT 1 FROM octet_blobs WHERE id = $1", finished.blob, make: { _ in true })
      guard isThere != nil else { throw RetryTransaction() }
      try writer.send(
        "INSERT INTO octet_blob_trash (upload, content) VALUES ($1, $2)", finished.upload, finished.blob)
    }
    try insert(finished.blob, owner, writer)
  }

  /// Adds an owner of a blob that is visible to the caller. Once more changes nothing.
  /// - Throws: `BlobError` `.unknownBlob` if nobody refers to it; `StorageError`.
  public func add(_ blob: BlobID, by owner: BlobOwner, in writer: any Writer) throws {
    guard try find(blob, in: writer) != nil else {
      throw BlobError(.unknownBlob, operation: "add reference", message: "nobody refers to this content")
    }
    try insert(blob, owner, writer)
  }

  /// Takes an owner away. Without owners the blob is invisible at once, and deleted after the collector's grace.
  /// - Returns: whether it was an owner.
  @discardableResult
  public func remove(_ blob: BlobID, by owner: BlobOwner, in writer: any Writer) throws -> Bool {
    // Of two who take away the last two owners at the same time, the second one sees that none is left.
    let isThere = try writer.firstForUpdate("SELECT 1 FROM octet_blobs WHERE id = $1", blob, make: { _ in true })
    guard isThere != nil else { return false }
    let removed = try writer.execute(
      "DELETE FROM octet_blob_references WHERE content = $1 AND kind = $2 AND key = $3", blob, owner.kind, owner.key)
    guard removed > 0 else { return false }
    if try !Self.hasOwner(blob, in: writer) {
      try writer.send("UPDATE octet_blobs SET unreferenced_since = $2 WHERE id = $1", blob, clock.now())
    }
    return true
  }

  /// The blob, or nil unless somebody refers to it.
  public func find(_ blob: BlobID, in reader: any Reader) throws -> BlobInfo? {
    try reader.first(
      """
      SELECT upload, size, created_at FROM octet_blobs
      WHERE id = $1 AND EXISTS (SELECT 1 FROM octet_blob_references r WHERE r.content = octet_blobs.id)
      """, blob
    ) { row in BlobInfo(id: blob, size: row[1], createdAt: row[2], upload: row[0]) }
  }

  /// Who refers to a blob: at most `limit` of them, by kind and key.
  public func owners(of blob: BlobID, limit: Int, in reader: any Reader) throws -> [BlobOwner] {
    try reader.rows(
      "SELECT kind, key FROM octet_blob_references WHERE content = $1 ORDER BY kind, key LIMIT $2", blob, limit
    ) { row in BlobOwner(row[0], row[1]) }
  }

  static func hasOwner(_ blob: BlobID, in reader: any Reader) throws -> Bool {
    try reader.exists("SELECT 1 FROM octet_blob_references WHERE content = $1 LIMIT 1", blob)
  }

  private func insert(_ blob: BlobID, _ owner: BlobOwner, _ writer: any Writer) throws {
    try writer.send(
      "INSERT INTO octet_blob_references (content, kind, key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
      blob, owner.kind, owner.key)
    // Seldom changes a row, so that a blob that many refer to is not a hot one. The mark is a hint to the collector,
    // which looks at the references itself.
    try writer.send(
      "UPDATE octet_blobs SET unreferenced_since = NULL WHERE id = $1 AND unreferenced_since IS NOT NULL", blob)
  }
}
