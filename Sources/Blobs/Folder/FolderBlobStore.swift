internal import Base

/// Blobs as files in a folder. Several processes may share it, also over a network file system whose `rename`, `flock`
/// and `fsync` keep their word.
///
/// What is placed is on disk: the file is synchronized before it gets its name, and the name after that. Blocking calls
/// run on a few threads of the store's own.
public final class FolderBlobStore: BlobStore {
  let layout: FolderLayout
  let limits: BlobLimits
  let files: OpenFiles
  private let pool: BlockingPool
  private static let markDigits = 128
  let uploads = OpenUploads<FolderUpload>()

  /// Opens the store, and makes the folder if it is not there.
  /// - Parameter path: of a folder for nothing else. It must not have `/` at its end.
  /// - Throws: `BlobError`.
  public static func open(path: String, limits: BlobLimits = BlobLimits()) async throws -> FolderBlobStore {
    let store = FolderBlobStore(path: path, limits: limits)
    try await store.run("open") { try store.layout.make() }
    return store
  }

  private init(path: String, limits: BlobLimits) {
    layout = FolderLayout(root: path)
    self.limits = limits
    files = OpenFiles(limit: limits.openFiles)
    pool = BlockingPool(name: "blobs", threads: limits.threads, waiting: limits.waitingCalls)
  }

  public func upload(_ id: UploadID) async throws -> any BlobUpload {
    try await run("upload") { [self] in
      uploads.take(id)?.end(.superseded)
      let upload = try FolderUpload(id, store: self)
      uploads.insert(upload)
      return upload
    }
  }

  public func discard(_ id: UploadID) async throws {
    try await run("discard") { [self] in
      uploads.take(id)?.end(.unknownUpload)
      try DiskFolder.remove(layout.data(id))
      try DiskFolder.remove(layout.state(id))
    }
  }

  public func size(_ key: BlobKey) async throws -> UInt64? {
    try await run("size") { [layout] in try DiskFolder.size(layout.path(key)) }
  }

  public func read(_ key: BlobKey, range: Range<UInt64>) async throws -> BlobContent {
    try await run("read") { [self] in
      let reader = try FolderReader(key, range: range, store: self)
      return BlobContent(count: UInt64(range.count), reader: reader)
    }
  }

  public func delete(_ key: BlobKey) async throws {
    // The name may come back after a crash of the machine; the caller's note to delete it is taken away later, so the
    // removal is made durable first.
    try await run("delete") { [layout] in
      if try DiskFolder.remove(layout.path(key)) { try DiskFolder.synchronize(layout.shard(of: key.blob)) }
    }
  }

  public func delete(_ entry: BlobPage.Entry) async throws {
    switch entry {
    case .placed(let upload, let blob?, _): try await delete(BlobKey(blob: blob, upload: upload))
    case .placed(_, nil, _): preconditionFailure("not an entry of a folder")
    case .upload(let id): try await discard(id)
    }
  }

  /// Each page is one of the folders: the shards, then the uploads.
  public func list(after cursor: String?) async throws -> BlobPage {
    guard let number = Int(cursor ?? "0"), (0...FolderLayout.shards).contains(number) else {
      throw BlobError(.badRange, operation: "list", message: "not a cursor of this list")
    }
    return try await run("list") { [layout] in
      guard number < FolderLayout.shards else {
        let ids = try DiskFolder.names(layout.uploads).compactMap(FolderLayout.upload(of:))
        return BlobPage(entries: Set(ids).sorted().map { .upload($0) }, next: nil)
      }
      let entries = try DiskFolder.names(layout.shard(number)).compactMap { name -> BlobPage.Entry? in
        guard let key = BlobKey(name), let size = try DiskFolder.size(layout.path(key)) else { return nil }
        return .placed(key.upload, blob: key.blob, size: size)
      }
      return BlobPage(entries: entries, next: String(number + 1))
    }
  }

  public func mark() async throws -> [UInt8]? {
    try await run("mark") { [layout] in
      let bytes: [UInt8]
      do throws(FileError) {
        bytes = try DiskFile(layout.mark, .read).read(at: 0, count: Self.markDigits)
      } catch {
        if error.isMissing { return nil }
        throw error
      }
      // Whoever writes one with an editor ends the line.
      guard let mark = HexText.bytes(String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)) else {
        throw BlobError(.ioFailure, operation: "mark", message: "the mark of the store is not one")
      }
      return mark
    }
  }

  public func setMark(_ mark: [UInt8]) async throws {
    precondition(2 * mark.count <= Self.markDigits, "a mark is short")
    try await run("mark") { [layout] in
      // Two processes may do so at once: each has a file of its own.
      let temporary = "\(layout.mark).\(UploadID(at: SystemClock().now(), random: SystemRandomSource()).text)"
      let file = try DiskFile(temporary, .create)
      try file.write(Array(HexText.text(mark).utf8), at: 0)
      try file.synchronize()
      try DiskFolder.rename(temporary, to: layout.mark)
      try layout.synchronize()
    }
  }

  public func close() async {
    let open = uploads.takeAll()
    // Waits for threads, so it has one of its own.
    try? await OSThread.run(name: "blobs-close") { [pool] in
      for upload in open { upload.end(.closed) }
      pool.shutDown()
    }
  }

  /// Runs what blocks on a thread of the store, with failures in the words of blobs.
  func run<Result: Sendable>(
    _ operation: String, _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    do {
      return try await pool.run(body)
    } catch let error as FileError {
      throw BlobError(error, operation: operation)
    } catch QueueRefusal.full {
      throw BlobError(.overloaded, operation: operation, message: "\(limits.waitingCalls) calls are waiting already")
    } catch QueueRefusal.closed {
      throw BlobError(.closed, operation: operation, message: "the store is closed")
    }
  }
}
