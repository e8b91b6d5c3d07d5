import Base
import Blobs
import DomainKit
import MediaAPI
import Storage

extension MediaCore {
  /// The path of one of a blob's files, good for some time.
  func signedPath(
    _ sight: BlobSight, for viewer: Identifier, name: String, until end: Instant, isJudged: Bool = false
  ) -> String {
    let link = BlobLink(
      blob: sight.row.id, share: sight.share, viewer: viewer, expiresAt: end, isJudged: isJudged)
    return BlobRoute.prefix + link.token(key: linkKey) + "/" + name
  }

  /// What a link lets its viewer see; nil once the share that it was made by is gone, or the viewer may not see the thing any
  /// more.
  func see(_ link: BlobLink, in reader: any Reader) throws -> BlobSight? {
    guard let row = try BlobRow.find(link.blob, in: reader) else { return nil }
    let holder: Identifier? = try reader.first(
      "SELECT user_id FROM media_holdings WHERE blob_id = $1 AND id = $2", link.blob, link.share
    ) { $0[0] }
    if let holder { return BlobSight(row: row, isOwner: holder == link.viewer, share: link.share) }
    let subject: String? = try reader.first(
      "SELECT subject FROM media_uses WHERE blob_id = $1 AND id = $2", link.blob, link.share
    ) { $0[0] }
    guard let subject else { return nil }
    if !link.isJudged {
      let viewer = link.viewer == Self.nobody ? nil : try kit.absent(link.viewer, in: reader)
      guard let subject = SubjectID(parsing: subject), try kit.subjects.isVisible(subject, to: viewer, in: reader)
      else {
        return nil
      }
    }
    return BlobSight(row: row, isOwner: false, share: link.share)
  }

  /// One of a blob's files by the name in its URL: `original`, the profile of a rendition (of a video also with
  /// `.mp4`), the profile of a video with `.m3u8` for its playlist, `hls.m3u8` for the list of those.
  func served(_ sight: BlobSight, name: String, in reader: any Reader) throws -> ServedFile? {
    if name == BlobRoute.originalName {
      guard sight.isOwner || sight.row.kind == .file,
        let info = try kit.blobs.references.find(sight.row.content, in: reader)
      else { return nil }
      return ServedFile(
        source: .content(info), contentType: sight.row.contentType, isAttachment: sight.row.kind == .file)
    }
    if name == HLSPlaylist.masterName {
      let renditions = try RenditionRow.list(of: sight.row.id, in: reader)
      return HLSPlaylist.master(renditions).map { ServedFile(source: .text($0), contentType: HLSPlaylist.contentType) }
    }
    let ending = [HLSPlaylist.suffix, HLSPlaylist.filmSuffix].first { name.hasSuffix($0) } ?? ""
    let isPlaylist = ending == HLSPlaylist.suffix
    let profile = String(name.dropLast(ending.count))
    guard let rendition = try RenditionRow.find(sight.row.id, profile, in: reader), let content = rendition.content
    else { return nil }
    if !ending.isEmpty, rendition.playlist.isEmpty { return nil }
    if isPlaylist {
      return ServedFile(source: .text(rendition.playlist), contentType: HLSPlaylist.contentType)
    }
    return try kit.blobs.references.find(content, in: reader).map {
      ServedFile(source: .content($0), contentType: rendition.contentType)
    }
  }
}
