import Base
import Blobs
import DomainKit
import MediaAPI
import Storage

/// What other domains do with files.
struct MediaFiles: Files {
  let core: MediaCore

  func attach(
    _ file: FileSource, of user: Identifier, to subject: SubjectID, as slot: String, _ rules: FileRules,
    in writer: any Writer
  ) throws -> StoredFile {
    let (id, known) = try blob(of: file, user, in: writer)
    guard let row = try core.lockShares(id, in: writer), try isOwn(row.id, of: user, file, in: writer) else {
      throw KitError.notFound(known)
    }
    guard rules.kinds.contains(where: { row.kind == BlobKind($0) }) else {
      throw MediaError.wrongFileKind(field: rules.field)
    }
    if let longest = rules.longest, row.size > longest {
      throw MediaError.fileTooLarge(limit: longest, field: rules.field)
    }
    return try use(row.id, for: user, in: subject, as: slot, writer)
  }

  /// The blob that is meant, and what a client calls it.
  private func blob(
    of file: FileSource, _ user: Identifier, in writer: any Writer
  ) throws -> (id: Identifier, known: String) {
    switch file {
    case .blob(let id): return (id, "blob")
    case .upload(let id):
      let upload = try UploadRow.require(id, of: user, in: writer)
      guard upload.state == .complete, let blob = upload.blob else { throw MediaError.uploadIncomplete }
      return (blob, "upload")
    }
  }

  /// Whether a blob, whose shares are locked, is the user's to make a part of things. An uploader may have given it up since.
  private func isOwn(
    _ id: Identifier, of user: Identifier, _ file: FileSource, in writer: any Writer
  ) throws -> Bool {
    if try writer.exists("SELECT 1 FROM media_holdings WHERE blob_id = $1 AND user_id = $2", id, user) { return true }
    guard case .blob = file else { return false }
    return try writer.exists("SELECT 1 FROM media_uses WHERE blob_id = $1 AND user_id = $2 LIMIT 1", id, user)
  }

  func publish(
    _ content: BlobInfo, kind: FileKind, for user: Identifier, in subject: SubjectID, as slot: String,
    _ writer: any Writer
  ) throws -> StoredFile {
    let id = try core.blob(of: content.id, size: content.size, kind: BlobKind(kind), in: writer)
    guard try core.lockShares(id, in: writer) != nil else { throw RetryTransaction() }
    return try use(id, for: user, in: subject, as: slot, writer)
  }

  private func use(
    _ id: Identifier, for user: Identifier, in subject: SubjectID, as slot: String, _ writer: any Writer
  ) throws -> StoredFile {
    // Held: either it settles after this commit, and the thing is told, or it has settled, and the caller is.
    guard let row = try BlobRow.lock(id, in: writer) else { throw RetryTransaction() }
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
    try core.removeUse(of: blob, in: subject, as: slot, writer)
  }

  func sign(
    _ blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?,
    for viewer: Identifier, _ reader: any Reader
  ) throws -> SignedPath? {
    guard let sight = try part(blob, of: subject, as: slot, in: reader) else { return nil }
    let name = rendition ?? BlobRoute.originalName
    guard try core.served(sight, name: name, in: reader) != nil else { return nil }
    let end = core.now + core.limits.longestLink
    // Of what is no thing of any kind, an archive say, nobody could be asked at each request.
    let isJudged = core.kit.subjects[subject] == nil
    return SignedPath(
      path: core.signedPath(sight, for: viewer, name: name, until: end, isJudged: isJudged), expiresAt: end)
  }

  func file(_ blob: Identifier, in reader: any Reader) throws -> StoredFile? {
    try BlobRow.find(blob, in: reader).map { StoredFile($0) }
  }

  func renditions(
    of blob: Identifier, in subject: SubjectID, as slot: String, _ reader: any Reader
  ) throws -> FileRenditions? {
    guard try part(blob, of: subject, as: slot, in: reader) != nil else { return nil }
    let rows = try RenditionRow.list(of: blob, in: reader).filter { $0.content != nil }
    return FileRenditions(all: rows.map { FileRendition($0) }, playlist: HLSPlaylist.master(rows))
  }

  func content(
    of blob: Identifier, in subject: SubjectID, as slot: String, rendition: String?, _ reader: any Reader
  ) throws -> BlobInfo? {
    guard let sight = try part(blob, of: subject, as: slot, in: reader) else { return nil }
    let content =
      if let rendition { try RenditionRow.find(blob, rendition, in: reader)?.content } else { sight.row.content }
    return try content.flatMap { try core.kit.blobs.references.find($0, in: reader) }
  }

  /// A thing's file; nil if it is none of its.
  private func part(
    _ blob: Identifier, of subject: SubjectID, as slot: String, in reader: any Reader
  ) throws -> BlobSight? {
    let share: Identifier? = try reader.first(
      "SELECT id FROM media_uses WHERE blob_id = $1 AND subject = $2 AND slot = $3", blob, subject.text, slot
    ) { $0[0] }
    guard let share, let row = try BlobRow.find(blob, in: reader) else { return nil }
    return BlobSight(row: row, isOwner: false, share: share)
  }
}

extension FileRendition {
  init(_ row: RenditionRow) {
    self.init(profile: row.profile, contentType: row.contentType, length: row.size)
    (codecs, width, height) = (row.codecs, row.width, row.height)
    (bitRate, playlist) = (row.bitRate, row.playlist)
    (head, segments) = HLSPlaylist.parts(row.playlist)
  }
}

extension BlobKind {
  init(_ kind: FileKind) {
    switch kind {
    case .file: self = .file
    case .image: self = .image
    case .video: self = .video
    case .audio: self = .audio
    }
  }
}

extension StoredFile {
  init(_ row: BlobRow) {
    let kind: FileKind =
      switch row.kind {
      case .image: .image
      case .video: .video
      case .audio: .audio
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
