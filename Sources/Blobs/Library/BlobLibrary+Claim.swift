internal import Base
internal import Storage

extension BlobLibrary {
  /// Makes sure that the store is this database's, before it is used: what a database does not know is deleted from its
  /// store, and a folder that is not the one where the contents are (one that is not mounted, or that each node has for
  /// itself) would let them seem lost. The first start marks the store.
  /// - Parameter isShared: whether other nodes may serve the same database.
  /// - Throws: `BlobError`: `.foreignStore`, or what the store says if it cannot be used; `StorageError`.
  public func claimStore(isShared: Bool) async throws {
    let fresh = random.bytes(16)
    let known = try await database.write { writer in
      try writer.send(
        "INSERT INTO octet_blob_store (id, mark, is_marked) VALUES (1, $1, 0) ON CONFLICT (id) DO NOTHING", fresh)
      let hasContents =
        try writer.exists("SELECT 1 FROM octet_blobs LIMIT 1")
        || writer.exists("SELECT 1 FROM octet_blob_uploads LIMIT 1")
      return try writer.first("SELECT mark, is_marked FROM octet_blob_store WHERE id = 1") { row in
        KnownStore(mark: row[0], isMarked: row[1], hasContents: hasContents)
      }
    }
    guard let known else { throw Self.foreign("octet_blob_store is empty") }
    let found = try await store.mark()
    if found != known.mark {
      // Another node counts on what is marked, though there is nothing in it yet.
      guard !known.isMarked || (!isShared && !known.hasContents) else {
        throw Self.foreign(
          """
          it is not the store that has this database's contents, which all nodes share. If those are lost, \
          a file 'mark' with the text \(HexText.text(known.mark)) lets the server start without them
          """)
      }
      if found != nil, try await hasContents() {
        throw Self.foreign("it has the contents of another database")
      }
      try await store.setMark(known.mark)
    }
    guard !known.isMarked else { return }
    try await database.write { writer in
      try writer.send("UPDATE octet_blob_store SET is_marked = 1 WHERE id = 1")
    }
  }

  private struct KnownStore: Sendable {
    let mark: [UInt8]
    let isMarked: Bool
    let hasContents: Bool
  }

  private func hasContents() async throws -> Bool {
    var cursor: String?
    repeat {
      let page = try await store.list(after: cursor)
      if !page.entries.isEmpty { return true }
      cursor = page.next
    } while cursor != nil
    return false
  }

  private static func foreign(_ message: String) -> BlobError {
    BlobError(.foreignStore, operation: "open", message: message)
  }

  /// Lets go of the store. No further calls.
  public func close() async {
    await store.close()
  }
}
