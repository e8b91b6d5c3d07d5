import Base
import Blobs
import DomainKit
import MediaAPI
import Storage

/// Through what somebody sees a blob.
struct BlobSight: Sendable {
  let row: BlobRow
  /// Whether the viewer uploaded it, and so may have the bytes as they came.
  let isOwner: Bool
  /// The id of the holding or use: what is granted by it ends with its row.
  let share: Identifier
}

extension MediaCore {
  /// Who comes without credentials.
  static let nobody = Identifier(rawValue: 0)

  /// The blob for somebody who uploaded it, or may see one of the things that it is part of.
  /// - Parameters:
  ///   - caller: nil for somebody without credentials.
  ///   - subject: through which of them; empty for any.
  /// - Throws: `KitError.notFound` also for what the caller may not see.
  func see(_ id: Identifier, by caller: Caller?, through subject: String, in reader: any Reader) throws -> BlobSight {
    // All is asked of what is not there as well: the time of an answer must not tell what is.
    let row = try BlobRow.find(id, in: reader)
    let holding: Identifier? = try reader.first(
      "SELECT id FROM media_holdings WHERE blob_id = $1 AND user_id = $2", id,
      caller?.user ?? Self.nobody
    ) { $0[0] }
    if let row, let holding { return BlobSight(row: row, isOwner: true, share: holding) }
    let uses: [(String, Identifier)] =
      subject.isEmpty
      ? try reader.rows(
        "SELECT subject, id FROM media_uses WHERE blob_id = $1 ORDER BY subject, slot LIMIT $2", id,
        limits.subjectsTried
      ) { ($0[0], $0[1]) }
      : try reader.rows("SELECT subject, id FROM media_uses WHERE blob_id = $1 AND subject = $2 LIMIT 1", id, subject) {
        ($0[0], $0[1])
      }
    for (subject, share) in uses
    where try kit.subjects.isVisible(beneath: SubjectID(parsing: subject), to: caller, in: reader) {
      if let row { return BlobSight(row: row, isOwner: false, share: share) }
    }
    if uses.isEmpty { _ = try kit.subjects.isVisible(beneath: nil, to: caller, in: reader) }
    throw KitError.notFound("blob")
  }

  /// The bytes of a blob, or of a rendition.
  /// - Parameter profile: empty for the bytes as they were uploaded, which of pictures and films only owners get: they may
  ///   tell where they were taken.
  /// - Throws: `KitError.notFound`.
  func bytes(_ sight: BlobSight, profile: String, in reader: any Reader) throws -> BlobInfo {
    var content: BlobID?
    if !profile.isEmpty {
      content = try reader.first(
        "SELECT content FROM media_renditions WHERE blob_id = $1 AND profile = $2 AND content IS NOT NULL",
        sight.row.id, profile
      ) { $0[0] }
    } else if sight.isOwner || sight.row.kind == .file {
      content = sight.row.content
    }
    guard let content, let info = try kit.blobs.references.find(content, in: reader) else {
      throw KitError.notFound("rendition")
    }
    return info
  }
}

extension MediaCore {
  /// Opens bytes for reading.
  /// - Throws: `KitError.overloaded` if the store cannot give them now; `BlobError`.
  func open(_ info: BlobInfo, _ range: Range<Int64>) async throws -> BlobContent {
    do {
      return try await kit.blobs.read(info, range: UInt64(range.lowerBound)..<UInt64(range.upperBound))
    } catch let error as BlobError where [.busy, .overloaded, .unavailable, .closed].contains(error.code) {
      throw KitError.overloaded
    }
  }
}
