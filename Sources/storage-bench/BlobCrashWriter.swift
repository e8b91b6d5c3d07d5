import Base
import Blobs
import BlobsS3
import Glibc
import Storage

/// Uploads until it is killed, and says on standard output what has been acknowledged, one line each:
///
///     offset UPLOAD SEED LENGTH OFFSET    so many bytes of the upload are durable
///     blob UPLOAD SEED LENGTH             the upload was adopted
///     leave UPLOAD SEED LENGTH            its owner is about to be taken away
///
/// Meanwhile what nobody refers to any more is collected at once.
///
/// The content is what `SeededRandomSource(seed: SEED)` gives.
struct BlobCrashWriter {
  /// As `openDatabase` takes it.
  let database: String
  let folder: String
  /// Where contents are in place of the folder.
  let bucket: S3Options?
  let callers: Int

  func run() async throws {
    let clock = SystemClock()
    let random = SystemRandomSource()
    let database = try await openDatabase(at: database, migrations: BlobSchema.migrations)
    let store: any BlobStore =
      if let bucket { try S3BlobStore(bucket, clock: clock, random: random) } else {
        try await FolderBlobStore.open(path: folder)
      }
    var policy = BlobPolicy()
    policy.grace = .zero
    let library = BlobLibrary(store: store, database: database, clock: clock, random: random, policy: policy)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        while (try? await library.collect()) != nil {}
      }
      for _ in 0..<callers {
        group.addTask {
          while (try? await upload(library, database, random)) != nil {}
        }
      }
    }
  }

  private func upload(_ library: BlobLibrary, _ database: any Database, _ random: any RandomSource) async throws {
    // Few seeds, so that contents come again.
    let seed = random.below(200)
    // In a bucket some are larger than a part.
    let most: UInt64 = bucket != nil && seed % 20 == 0 ? 12 << 20 : 300_000
    let length = 1 + Int(seed * 1_000_003 % most)
    let content = SeededRandomSource(seed: seed).bytes(length)
    let upload = try await library.begin()
    let name = "\(upload.id.text) \(seed) \(length)"
    while upload.offset < UInt64(length) {
      let start = Int(upload.offset)
      let end = min(length, start + 1 + Int(random.below(50_000)))
      try await upload.append(Array(content[start..<end]))
      if random.below(2) == 0 { acknowledge("offset \(name) \(try await upload.checkpoint())\n") }
    }
    let finished = try await upload.finish(expecting: BlobExpectation(size: UInt64(length)))
    try await database.write { writer in
      try library.references.adopt(finished, by: BlobOwner("crash", upload.id.text), in: writer)
    }
    acknowledge("blob \(name)\n")
    guard random.below(2) == 0 else { return }
    acknowledge("leave \(name)\n")
    try await database.write { writer in
      _ = try library.references.remove(finished.blob, by: BlobOwner("crash", upload.id.text), in: writer)
    }
  }

  /// One system call, so that lines of several callers do not mix: a pipe takes up to 4 KiB at once.
  private func acknowledge(_ line: String) {
    let bytes = Array(line.utf8)
    _ = Glibc.write(STDOUT_FILENO, bytes, bytes.count)
  }
}

/// Fills the disk through a folder store and says what came of it: `full at OFFSET`, then `again SIZE` once there was
/// room again, then `left N` for the names that are in the store.
struct BlobDiskFiller {
  let path: String

  func run() async throws {
    let store = try await FolderBlobStore.open(path: path)
    let (clock, random) = (SystemClock(), SystemRandomSource())
    let large = try await store.upload(UploadID(at: clock.now(), random: random))
    let chunk = [UInt8](repeating: 7, count: 64 << 10)
    do {
      while true { try await large.append(chunk) }
    } catch let error as BlobError where error.code == .diskFull {
      print("full at \(large.offset)")
    }
    try await store.discard(large.id)
    let small = try await store.upload(UploadID(at: clock.now(), random: random))
    try await small.append(chunk)
    let key = BlobKey(blob: try await small.contentID(), upload: small.id)
    try await small.place(key)
    print("again \(try await store.size(key) ?? 0)")
    var (left, cursor) = (0, String?.none)
    repeat {
      let page = try await store.list(after: cursor)
      left += page.entries.count
      cursor = page.next
    } while cursor != nil
    print("left \(left)")
    await store.close()
  }
}
