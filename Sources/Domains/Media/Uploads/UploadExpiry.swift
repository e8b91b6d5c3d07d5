import Base
import MediaAPI
import Storage

/// Ends uploads that got no bytes for too long, and removes the rows of those that ended long ago.
struct UploadExpiry: Sweep {
  let core: MediaCore
  let name = "media uploads"

  func step(_ database: any Database) async throws -> Bool {
    let (now, limit) = (core.now, core.limits.removedAtOnce)
    guard try await !database.read({ try UploadRow.expired(at: now, limit: 1, in: $0) }).isEmpty else { return false }
    return try await database.write { [core] writer in
      let expired = try UploadRow.expired(at: now, limit: limit, in: writer)
      for found in expired {
        // A stream may have taken it up since it was found.
        guard var row = try UploadRow.lock(found.id, in: writer), row.expiresAt <= now else { continue }
        if row.isLive {
          try core.end(&row, .expired, in: writer)
        } else {
          try writer.execute("DELETE FROM media_uploads WHERE id = $1", row.id)
        }
      }
      return expired.count == limit
    }
  }
}
