internal import Base
internal import Storage

extension BlobLibrary {
  /// What a run of the collector or the audit did.
  public struct Collected: Sendable, Equatable {
    /// Uploads that had expired.
    public var uploads = 0
    /// Blobs that nobody referred to.
    public var blobs = 0
    /// Names that were deleted in the store.
    public var deleted = 0
    /// Names that could not be deleted now; they stay in the trash.
    public var failed = 0

    public init() {}
  }

  /// Gives up expired uploads and blobs without owners, and empties the trash. Several nodes may do it at once.
  /// - Parameter rest: is called between two transactions of many, and may take its time; false ends the run there.
  /// - Throws: `StorageError`. Failures of the store are counted, and tried again by the next run.
  public func collect(rest: @Sendable () async -> Bool = { true }) async throws -> Collected {
    var result = Collected()
    while true {
      let count = try await discardExpiredUploads()
      result.uploads += count
      if count < BlobLimits.batch { break }
      guard await rest() else { return result }
    }
    while true {
      let (seen, discarded) = try await discardUnreferencedBlobs()
      result.blobs += discarded
      if seen < BlobLimits.batch { break }
      guard await rest() else { return result }
    }
    try await emptyTrash(&result, rest)
    return result
  }

  /// Deletes from the store what no row knows: leftovers of a node that was stopped for longer than an upload lives, or
  /// of a database that was restored from a backup. Safe at any time, because a row is there before a store has
  /// anything, and names do not come back. Reads the whole list: for once a week.
  /// - Parameter rest: is called after each page of the list; false ends the audit there.
  /// - Returns: what was done, and whether the whole list was read.
  public func audit(rest: @Sendable () async -> Bool = { true }) async throws -> (Collected, isWhole: Bool) {
    var result = Collected()
    var cursor: String?
    repeat {
      let page = try await store.list(after: cursor)
      for entry in page.entries {
        let id = Self.upload(of: entry)
        let isKnown = try await database.read { reader in
          try reader.exists("SELECT 1 FROM octet_blob_uploads WHERE id = $1", id)
            || reader.exists("SELECT 1 FROM octet_blob_trash WHERE upload = $1", id)
            || Self.isBlob(entry, reader)
        }
        if isKnown { continue }
        try await store.delete(entry)
        result.deleted += 1
      }
      cursor = page.next
      if cursor != nil, await !rest() { return (result, false) }
    } while cursor != nil
    return (result, true)
  }

  private static func upload(of entry: BlobPage.Entry) -> UploadID {
    switch entry {
    case .placed(let id, _, _), .upload(let id): id
    }
  }

  /// Whether the entry holds the bytes of a blob. Uploads that are not placed never do.
  private static func isBlob(_ entry: BlobPage.Entry, _ reader: any Reader) throws -> Bool {
    guard case .placed(let id, _, _) = entry else { return false }
    return try reader.exists("SELECT 1 FROM octet_blobs WHERE upload = $1", id)
  }

  private func discardExpiredUploads() async throws -> Int {
    let now = clock.now()
    // Most often there is nothing to do, which a reader can tell without the writer's time.
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM octet_blob_uploads WHERE expires_at <= $1 LIMIT 1", now)
    }
    guard isDue else { return 0 }
    return try await database.write { writer in
      let expired: [(UploadID, BlobID?)] = try writer.rows(
        """
        SELECT id, content FROM octet_blob_uploads WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
        \(writer.dialect.forUpdateSkippingLocked)
        """, now, BlobLimits.batch
      ) { row in (row[0], row[1]) }
      for (id, blob) in expired {
        try writer.send("DELETE FROM octet_blob_uploads WHERE id = $1", id)
        try writer.send("INSERT INTO octet_blob_trash (upload, content) VALUES ($1, $2)", id, blob)
      }
      return expired.count
    }
  }

  private func discardUnreferencedBlobs() async throws -> (seen: Int, discarded: Int) {
    let latest = clock.now() - policy.grace
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM octet_blobs WHERE unreferenced_since <= $1 LIMIT 1", latest)
    }
    guard isDue else { return (0, 0) }
    return try await database.write { writer in
      // Held until the commit. Whoever adds an owner needs the row too, through its foreign key: either their owner is
      // seen below, or they see that the blob is gone.
      let unreferenced: [(BlobID, UploadID)] = try writer.rows(
        """
        SELECT id, upload FROM octet_blobs WHERE unreferenced_since <= $1 ORDER BY unreferenced_since LIMIT $2
        \(writer.dialect.forUpdateSkippingLocked)
        """, latest, BlobLimits.batch
      ) { row in (row[0], row[1]) }
      var discarded = 0
      for (id, upload) in unreferenced {
        if try BlobReferences.hasOwner(id, in: writer) {
          try writer.send("UPDATE octet_blobs SET unreferenced_since = NULL WHERE id = $1", id)
        } else {
          try writer.send("DELETE FROM octet_blobs WHERE id = $1", id)
          try writer.send("INSERT INTO octet_blob_trash (upload, content) VALUES ($1, $2)", upload, id)
          discarded += 1
        }
      }
      return (unreferenced.count, discarded)
    }
  }

  private func emptyTrash(_ result: inout Collected, _ rest: @Sendable () async -> Bool) async throws {
    var last: [UInt8] = []
    while true {
      let after = last
      let trash: [(UploadID, BlobID?)] = try await database.read { reader in
        try reader.rows(
          "SELECT upload, content FROM octet_blob_trash WHERE upload > $1 ORDER BY upload LIMIT $2", after,
          BlobLimits.batch
        ) { row in (row[0], row[1]) }
      }
      guard let end = trash.last else { return }
      last = end.0.bytes
      var deleted: [UploadID] = []
      for (upload, blob) in trash {
        do {
          // In this order: an upload that is being placed at this moment either fails now, or is found by the second.
          try await store.discard(upload)
          if let blob { try await store.delete(BlobKey(blob: blob, upload: upload)) }
          deleted.append(upload)
        } catch is BlobError {
          result.failed += 1
        }
      }
      result.deleted += deleted.count
      try await database.write { [deleted] writer in
        for upload in deleted { try writer.send("DELETE FROM octet_blob_trash WHERE upload = $1", upload) }
      }
      guard trash.count == BlobLimits.batch, await rest() else { return }
    }
  }
}
