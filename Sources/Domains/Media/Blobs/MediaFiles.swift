import Base
import Blobs
import DomainKit
import MediaAPI
import Storage

/// What other domains do with files.
struct MediaFiles: Files {
  let core: MediaCore

  func attach(
    _ upload: Identifier, of user: Identifier, to subject: SubjectID, as slot: String, kind: FileKind,
    in writer: any Writer
  ) throws -> StoredFile {
    let upload = try UploadRow.require(upload, of: user, in: writer)
    guard upload.state == .complete, let id = upload.blob else { throw MediaError.uploadIncomplete }
    guard upload.kind == BlobKind(kind) else { throw MediaError.wrongFileKind }
    // The uploader may have given it up since.
    guard let row = try core.lockShares(id, in: writer),
      try writer.exists("SELECT 1 FROM media_holdings WHERE blob_id = $1 AND user_id = $2", id, user)
    else { throw KitError.notFound("upload") }
    return try use(row, for: user, in: subject, as: slot, writer)
  }

  func publish(
    _ content: BlobInfo, for user: Identifier, in subject: SubjectID, as slot: String, _ writer: any Writer
  ) throws -> StoredFile {
    let id = try core.blob(of: content.id, size: content.size, kind: .file, in: writer)
    guard let row = try core.lockShares(id, in: writer) else { throw RetryTransaction() }
    return try use(row, for: user, in: subject, as: slot, writer)
  }

  private func use(
    _ row: BlobRow, for user: Identifier, in subject: SubjectID, as slot: String, _ writer: any Writer
  ) throws -> StoredFile {
    let isNew = try writer.execute(
      """
      INSERT INTO media_uses (blob_id, subject, slot, user_id, id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
      """, row.id, subject.text, slot, user, core.kit.identifiers.next())
    if isNew == 1 {
      try core.kit.blobs.references.add(row.content, by: ContentOwner.use(row.id, subject.text, slot), in: writer)
    }
    return StoredFile(row)
  }

  func detach(_ blob: Identifier, from subject: SubjectID, as slot: String, in writer: any Writer) throws -> Bool {
    guard let row = try core.lockShares(blob, in: writer),
      try writer.execute(
        "DELETE FROM media_uses WHERE blob_id = $1 AND subject = $2 AND slot = $3", blob, subject.text, slot) == 1
    else { return false }
    try core.kit.blobs.references.remove(row.content, by: ContentOwner.use(blob, subject.text, slot), in: writer)
    try core.removeIfUnshared(row, in: writer)
    return true
  }

  func sign(
    _ blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?,
    for viewer: Identifier, _ reader: any Reader
  ) throws -> SignedPath? {
    let share: Identifier? = try reader.first(
      "SELECT id FROM media_uses WHERE blob_id = $1 AND subject = $2 AND slot = $3", blob, subject.text, slot
    ) { $0[0] }
    guard let share, let row = try BlobRow.find(blob, in: reader) else { return nil }
    let name = rendition ?? BlobRoute.originalName
    let sight = BlobSight(row: row, isOwner: false, share: share)
    guard try core.served(sight, name: name, in: reader) != nil else { return nil }
    let end = core.now + core.limits.longestLink
    return SignedPath(path: core.signedPath(sight, for: viewer, name: name, until: end), expiresAt: end)
  }

  func file(_ blob: Identifier, in reader: any Reader) throws -> StoredFile? {
    try BlobRow.find(blob, in: reader).map { StoredFile($0) }
  }
}

extension BlobKind {
  init(_ kind: FileKind) {
    switch kind {
    case .file: self = .file
    case .image: self = .image
    case .video: self = .video
    }
  }
}

extension StoredFile {
  init(_ row: BlobRow) {
    let kind: FileKind =
      switch row.kind {
      case .image: .image
      case .video: .video
      default: .file
      }
    let state: FileState =
      switch row.state {
      case .ready: .ready
      case .failed: .failed(row.failure)
      default: .processing
      }
    self.init(
      blob: row.id, kind: kind, state: state, length: row.size, contentType: row.contentType, width: row.width,
      height: row.height, duration: row.duration)
  }
}
