import Base
import Blobs
import Foundation
import Testing

@testable import BlobsS3

/// A kind of store as the conformance suite sees it: something that opens an empty one.
struct TestStore: Sendable, CustomTestStringConvertible {
  let testDescription: String
  private let open: @Sendable (BlobLimits) async throws -> (any BlobStore, @Sendable () -> Void)

  static let all: [TestStore] = [
    TestStore(testDescription: "folder") { limits in
      let folder = TemporaryFolder()
      return (try await FolderBlobStore.open(path: folder.path, limits: limits), { folder.remove() })
    },
    TestStore(testDescription: "S3") { limits in
      let options = try await S3Server.common().options()
      return (try S3BlobStore(options, limits: limits, clock: SystemClock(), random: SystemRandomSource()), {})
    },
  ]

  init(
    testDescription: String,
    open: @escaping @Sendable (BlobLimits) async throws -> (any BlobStore, @Sendable () -> Void)
  ) {
    self.testDescription = testDescription
    self.open = open
  }

  func withStore(limits: BlobLimits = BlobLimits(), _ body: (any BlobStore) async throws -> Void) async throws {
    let (store, remove) = try await open(limits)
    defer { remove() }
    try await closing(store, body)
  }
}

/// Runs a body with a store, and closes that however it ends.
private func closing<Store: BlobStore>(_ store: Store, _ body: (Store) async throws -> Void) async throws {
  do {
    try await body(store)
  } catch {
    await store.close()
    throw error
  }
  await store.close()
}

/// Runs a body with a store of these options, which has names listed by so many.
func withStore(
  _ options: S3Options, pageSize: Int = 1000, _ body: (S3BlobStore) async throws -> Void
) async throws {
  try await closing(
    S3BlobStore(options, clock: SystemClock(), random: SystemRandomSource(), pageSize: pageSize), body)
}

/// A folder that a test has for itself.
struct TemporaryFolder: Sendable {
  let path = FileManager.default.temporaryDirectory.appending(path: "octet-blobs-\(UUID().uuidString)").path

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}

extension UploadID {
  static func new() -> UploadID { UploadID(at: SystemClock().now(), random: SystemRandomSource()) }
}

extension BlobStore {
  /// Uploads and places a content.
  func put(_ bytes: [UInt8], chunk: Int = 70_000) async throws -> BlobKey {
    let upload = try await upload(.new())
    var rest = bytes[...]
    while !rest.isEmpty {
      try await upload.append(Array(rest.prefix(chunk)))
      rest = rest.dropFirst(chunk)
    }
    let key = BlobKey(blob: try await upload.contentID(), upload: upload.id)
    try await upload.place(key)
    return key
  }

  func bytes(_ key: BlobKey, _ range: Range<UInt64>) async throws -> [UInt8] {
    try await read(key, range: range).bytes(limit: .max)
  }

  /// All pages of the list.
  func entries() async throws -> Set<BlobPage.Entry> {
    var (entries, cursor) = (Set<BlobPage.Entry>(), String?.none)
    repeat {
      let page = try await list(after: cursor)
      entries.formUnion(page.entries)
      cursor = page.next
    } while cursor != nil
    return entries
  }
}

/// The code of the `BlobError` that `body` throws; anything else is a failure of the test.
func blobError<Result>(
  _ body: () async throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) async -> BlobError.Code? {
  do {
    _ = try await body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let error as BlobError {
    return error.code
  } catch {
    Issue.record("\(error) was thrown", sourceLocation: sourceLocation)
  }
  return nil
}
