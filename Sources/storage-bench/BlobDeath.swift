import Base
import Blobs
import Glibc
import Storage
import StorageSQLite

/// Collects two contents that nobody refers to any more, and dies as by kill -9 when the store is to delete the first one:
/// before the file goes, or right after.
struct BlobDeath {
  let path: String
  let isAfter: Bool

  func run() async throws {
    let (clock, random) = (SystemClock(), SystemRandomSource())
    let database = try await SQLiteDatabase.open(
      path: path + "/octet.db", migrations: BlobSchema.migrations, clock: clock)
    let store = DyingStore(store: try await FolderBlobStore.open(path: path + "/store"), isAfter: isAfter)
    var policy = BlobPolicy()
    policy.grace = .zero
    let library = BlobLibrary(store: store, database: database, clock: clock, random: random, policy: policy)
    let owner = BlobOwner("crash", "1")
    for content: UInt8 in 1...2 {
      let finished = try await library.put([content])
      try await database.write { writer in try library.references.adopt(finished, by: owner, in: writer) }
      _ = try await database.write { writer in try library.references.remove(finished.blob, by: owner, in: writer) }
    }
    _ = try await library.collect()
  }
}

/// A folder that ends the process at the first deletion.
private struct DyingStore: BlobStore {
  let store: FolderBlobStore
  let isAfter: Bool

  func delete(_ key: BlobKey) async throws {
    if isAfter { try await store.delete(key) }
    kill(getpid(), SIGKILL)
  }

  func upload(_ id: UploadID) async throws -> any BlobUpload { try await store.upload(id) }
  func discard(_ id: UploadID) async throws { try await store.discard(id) }
  func size(_ key: BlobKey) async throws -> UInt64? { try await store.size(key) }
  func read(_ key: BlobKey, range: Range<UInt64>) async throws -> BlobContent {
    try await store.read(key, range: range)
  }
  func delete(_ entry: BlobPage.Entry) async throws { try await store.delete(entry) }
  func list(after cursor: String?) async throws -> BlobPage { try await store.list(after: cursor) }
  func mark() async throws -> [UInt8]? { try await store.mark() }
  func setMark(_ mark: [UInt8]) async throws { try await store.setMark(mark) }
  func close() async { await store.close() }
}
