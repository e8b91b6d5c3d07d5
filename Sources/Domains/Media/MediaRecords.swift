import Base
import Blobs
import DomainKit
import MediaAPI
import Storage
import Streaming

/// What media keeps about people: what they upload, and their shares of blobs.
struct MediaRecords: PersonalRecords {
  let core: MediaCore
  let name = MediaDomain.name

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let uploads = try UploadRow.list(
      of: user, after: Identifier(rawValue: .min), limit: core.limits.removedAtOnce, in: writer)
    for found in uploads {
      guard var row = try UploadRow.lock(found.id, in: writer) else { continue }
      if row.isLive { try core.end(&row, .cancelled, in: writer) }
      // The events tell the same as the row did.
      try core.kit.hub.compact(core.topic(ofUpload: row.id), before: core.now + .seconds(1), in: writer)
      try writer.execute("DELETE FROM media_uploads WHERE id = $1", row.id)
    }
    let blobs = try holdings(of: user, after: Identifier(rawValue: .min), in: writer)
    for blob in blobs { try core.removeHolding(blob, of: user, in: writer) }
    if !uploads.isEmpty || !blobs.isEmpty { return true }
    try writer.execute("DELETE FROM media_quotas WHERE user_id = $1", user)
    return false
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON(MediaDomain.descriptors)
    var last = Identifier(rawValue: .min)
    while true {
      let page = try UploadRow.list(of: user, after: last, limit: core.limits.removedAtOnce, in: reader)
      for row in page { try json.write(MediaAPI.Upload(row), to: record) }
      guard let end = page.last else { break }
      last = end.id
    }
    try forEachBlob(of: user, in: reader) { try json.write(MediaAPI.Blob($0), to: record) }
  }

  func blobs(of user: Identifier, in reader: any Reader) throws -> [BlobInfo] {
    var contents: [BlobInfo] = []
    try forEachBlob(of: user, in: reader) { row in
      if let info = try core.kit.blobs.references.find(row.content, in: reader) { contents.append(info) }
    }
    return contents
  }

  private func forEachBlob(of user: Identifier, in reader: any Reader, _ body: (BlobRow) throws -> Void) throws {
    var last = Identifier(rawValue: .min)
    while true {
      let page = try holdings(of: user, after: last, in: reader)
      for id in page {
        if let row = try BlobRow.find(id, in: reader) { try body(row) }
      }
      guard let end = page.last else { return }
      last = end
    }
  }

  private func holdings(of user: Identifier, after: Identifier, in reader: any Reader) throws -> [Identifier] {
    try reader.rows(
      "SELECT blob_id FROM media_holdings WHERE user_id = $1 AND blob_id > $2 ORDER BY blob_id LIMIT $3", user, after,
      core.limits.removedAtOnce
    ) { $0[0] }
  }
}
