import Base
import Blobs
import DomainKit
import MediaAPI
import Storage

/// Who shares in a blob: its uploaders, each with a holding, and the things that it is part of, each with a use. With the
/// last share the blob goes.
extension MediaCore {
  /// Makes a finished upload a blob, or finds the one that it is, and gives its uploader a share.
  func adopt(
    _ finished: FinishedUpload, kind: BlobKind, by user: Identifier, in writer: any Writer
  ) throws -> Identifier {
    let id = try blob(of: finished.blob, size: finished.size, kind: kind, in: writer)
    try writer.execute(
      "INSERT INTO media_holdings (blob_id, user_id, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", id, user,
      kit.identifiers.next())
    try kit.blobs.references.adopt(finished, by: ContentOwner.holding(id, user), in: writer)
    return id
  }

  /// The blob of a content: a new one, or the one that it is. Without a share it goes with the next look at its shares.
  func blob(of content: BlobID, size: UInt64, kind: BlobKind, in writer: any Writer) throws -> Identifier {
    let fresh = BlobRow(
      id: kit.identifiers.next(), content: content, kind: kind, size: Int64(size),
      state: kind == .file ? .ready : .probing)
    let isNew = try writer.execute(
      "INSERT INTO media_contents (content, kind, blob_id) VALUES ($1, $2, $3) ON CONFLICT (content, kind) DO NOTHING",
      content, kind.rawValue, fresh.id)
    if isNew == 1 {
      try fresh.insert(in: writer)
      if kind != .file { try startProcessing(fresh.id, in: writer) }
      return fresh.id
    }
    // Whoever takes the last share away at this moment holds the row; then the blob is gone and this one is new.
    let known: Identifier? = try writer.firstForUpdate(
      "SELECT blob_id FROM media_contents WHERE content = $1 AND kind = $2", content, kind.rawValue
    ) { $0[0] }
    guard let known else { throw RetryTransaction() }
    try retryIfFailed(known, in: writer)
    return known
  }

  /// Whoever uploads what has failed wants it tried again: the server may have learnt since.
  private func retryIfFailed(_ id: Identifier, in writer: any Writer) throws {
    guard var row = try BlobRow.lock(id, in: writer), row.state == .failed else { return }
    (row.state, row.failure) = (.probing, "")
    try row.update(in: writer)
    try startProcessing(id, in: writer)
    try publish(row, in: writer)
  }

  /// The blob, whose shares nobody else changes before the commit.
  func lockShares(_ id: Identifier, in writer: any Writer) throws -> BlobRow? {
    let row = try BlobRow.find(id, in: writer)
    // Without a row as well: the time of an answer must not tell what is there.
    let isThere: Bool? = try writer.firstForUpdate(
      "SELECT 1 FROM media_contents WHERE content = $1 AND kind = $2 AND blob_id = $3", row?.content,
      row?.kind.rawValue, id
    ) { _ in true }
    return isThere == nil ? nil : row
  }

  /// Takes an uploader's share away.
  /// - Returns: whether there was one.
  @discardableResult
  func removeHolding(_ id: Identifier, of user: Identifier, in writer: any Writer) throws -> Bool {
    let row = try lockShares(id, in: writer)
    let isRemoved = try writer.execute("DELETE FROM media_holdings WHERE blob_id = $1 AND user_id = $2", id, user) == 1
    guard let row, isRemoved else { return false }
    try kit.blobs.references.remove(row.content, by: ContentOwner.holding(id, user), in: writer)
    try removeIfUnshared(row, in: writer)
    return true
  }

  /// Ends that a blob is a part of a thing.
  /// - Returns: whether it was one.
  func removeUse(
    of blob: Identifier, in subject: SubjectID, as slot: String, _ writer: any Writer
  ) throws -> Bool {
    guard let row = try lockShares(blob, in: writer),
      try writer.execute(
        "DELETE FROM media_uses WHERE blob_id = $1 AND subject = $2 AND slot = $3", blob, subject.text, slot) == 1
    else { return false }
    try kit.blobs.references.remove(row.content, by: ContentOwner.use(blob, subject.text, slot), in: writer)
    try removeIfUnshared(row, in: writer)
    return true
  }

  /// Removes what nobody shares in any more. The bytes go a day later, should somebody be reading them.
  func removeIfUnshared(_ row: BlobRow, in writer: any Writer) throws {
    let isShared =
      try writer.exists("SELECT 1 FROM media_holdings WHERE blob_id = $1 LIMIT 1", row.id)
      || writer.exists("SELECT 1 FROM media_uses WHERE blob_id = $1 LIMIT 1", row.id)
    if isShared { return }
    // First, so that a job that is about to store a rendition either has done so or finds no blob.
    try writer.execute("DELETE FROM media_blobs WHERE id = $1", row.id)
    try removeRenditions(of: row.id, in: writer)
    try timers.cancel(MediaWorker.probeKind, key: row.id.text(kind: IDKind.blob), in: writer)
    try writer.execute(
      "DELETE FROM media_contents WHERE content = $1 AND kind = $2", row.content, row.kind.rawValue)
    if row.kind != .file { try publishRemoval(of: row.id, in: writer) }
  }
}
