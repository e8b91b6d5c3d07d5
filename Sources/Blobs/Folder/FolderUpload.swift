internal import Base
internal import Cryptography

/// An upload into a folder: a file that gets its place by a rename.
///
/// The lock is held while a thread of the store works for the upload; nobody else waits for it but who takes it away.
final class FolderUpload: BlobUpload {
  let id: UploadID
  private let store: FolderBlobStore
  private let state: Locked<State>

  private enum State {
    case open(Open)
    /// Over, with what further calls get.
    case ended(BlobError.Code)
  }

  private struct Open {
    let data: DiskFile
    /// Made by the first checkpoint: what is uploaded in one go needs none.
    var checkpoints: DiskFile?
    /// The last checkpoint.
    var durable: FolderCheckpoint
    var offset: UInt64
    var hash: SHA256
    let lease: OpenFiles.Lease
  }

  /// Opens or makes the files. Blocks.
  /// - Throws: `BlobError` or `FileError`.
  init(_ id: UploadID, store: FolderBlobStore) throws {
    self.id = id
    self.store = store
    let layout = store.layout
    let lease = try store.files.lease(2)
    let data = try DiskFile(layout.data(id), .readWrite)
    guard try data.lock() else {
      throw BlobError(.busy, operation: "upload", message: "another process has this upload open")
    }
    var checkpoints: DiskFile?
    var durable = FolderCheckpoint(sequence: 0, offset: 0, hash: SHA256())
    if try DiskFolder.size(layout.state(id)) != nil {
      let file = try DiskFile(layout.state(id), .readWrite)
      checkpoints = file
      durable = try FolderCheckpoint.read(file) ?? durable
    }
    guard try data.size() >= durable.offset else {
      throw BlobError(.ioFailure, operation: "upload", message: "the file is shorter than its checkpoint says")
    }
    // What came after the checkpoint may or may not have reached the disk.
    try data.truncate(to: durable.offset)
    state = Locked(
      .open(
        Open(
          data: data, checkpoints: checkpoints, durable: durable, offset: durable.offset, hash: durable.hash,
          lease: lease)))
  }

  deinit {
    end(.closed)
    store.uploads.forget(id, ObjectIdentifier(self))
  }

  var offset: UInt64 { read { $0.offset } }
  var durableOffset: UInt64 { read { $0.durable.offset } }

  func append(_ bytes: [UInt8]) async throws {
    try await work("append") { [limit = store.limits.blobBytes] open in
      guard UInt64(bytes.count) <= limit - min(limit, open.offset) else {
        throw BlobError(.tooLarge, operation: "append", message: "more than \(limit) bytes")
      }
      do {
        try open.data.write(bytes, at: open.offset)
      } catch {
        // Gives the room back that a part of the bytes may have taken.
        try open.data.truncate(to: open.offset)
        throw error
      }
      open.hash.update(bytes)
      open.offset += UInt64(bytes.count)
    }
  }

  func checkpoint() async throws -> UInt64 {
    try await work("checkpoint", isFatal: true) { [store, id] open in
      if open.durable.offset == open.offset { return open.offset }
      try open.data.synchronize()
      let isNew = open.checkpoints == nil
      let file = try open.checkpoints ?? DiskFile(store.layout.state(id), .readWrite)
      open.checkpoints = file
      let next = FolderCheckpoint(sequence: open.durable.sequence + 1, offset: open.offset, hash: open.hash)
      try next.write(file)
      if isNew { try DiskFolder.synchronize(store.layout.uploads) }
      open.durable = next
      return open.offset
    }
  }

  func contentID() async throws -> BlobID {
    try await work("finish") { open in
      guard let id = BlobID(bytes: open.hash.hash()) else { preconditionFailure("SHA-256 has 32 bytes") }
      return id
    }
  }

  func place(_ key: BlobKey) async throws {
    try await work("place", isFatal: true) { [store, id] open in
      guard open.hash.hash() == key.blob.bytes else {
        throw BlobError(.mismatch, operation: "place", message: "the content has another hash")
      }
      try open.data.synchronize()
      do {
        try DiskFolder.rename(store.layout.data(id), to: store.layout.path(key))
      } catch let error as FileError where error.isMissing {
        throw BlobError(.unknownUpload, operation: "place", message: "the upload was given up meanwhile")
      }
      try DiskFolder.synchronize(store.layout.shard(of: key.blob))
      if open.checkpoints != nil { try DiskFolder.remove(store.layout.state(id)) }
    }
    end(.closed)
  }

  func close() async {
    end(.closed)
  }

  /// Ends the upload here; `reason` is what further calls get. Waits for the call that is under way.
  func end(_ reason: BlobError.Code) {
    let ended = state.withLock { state -> Open? in
      guard case .open(let open) = state else { return nil }
      state = .ended(reason)
      return open
    }
    ended?.data.unlock()
  }

  private func read(_ value: (Open) -> UInt64) -> UInt64 {
    state.withLock { state in
      guard case .open(let open) = state else { return 0 }
      return value(open)
    }
  }

  /// Runs `body` on a thread of the store.
  /// - Parameter isFatal: whether a failure leaves the files in a state that nobody knows. The upload then ends; taken
  ///   up again, it goes on from its last checkpoint.
  private func work<Result: Sendable>(
    _ operation: String, isFatal: Bool = false, _ body: @escaping @Sendable (inout Open) throws -> Result
  ) async throws -> Result {
    try await store.run(operation) { [self] in
      try state.withLock { state in
        switch state {
        case .ended(let reason):
          throw BlobError(reason, operation: operation, message: "the upload is over")
        case .open(var open):
          do {
            let result = try body(&open)
            state = .open(open)
            return result
          } catch {
            if isFatal {
              open.data.unlock()
              state = .ended(.closed)
            }
            throw error
          }
        }
      }
    }
  }
}

/// Reads part of a file, a piece at a time.
final class FolderReader: BlobReader {
  private let store: FolderBlobStore
  private let file: DiskFile
  private let lease: OpenFiles.Lease
  private let rest: Locked<Range<UInt64>>

  /// Opens the file. Blocks.
  init(_ key: BlobKey, range: Range<UInt64>, store: FolderBlobStore) throws {
    self.store = store
    lease = try store.files.lease(1)
    do {
      file = try DiskFile(store.layout.path(key), .read)
    } catch  where error.isMissing {
      throw BlobError(.unknownBlob, operation: "read", message: "there is no such blob")
    }
    guard range.upperBound <= (try file.size()) else {
      throw BlobError(.badRange, operation: "read", message: "the range ends beyond the blob")
    }
    rest = Locked(range)
  }

  func next() async throws -> [UInt8]? {
    let most = UInt64(store.limits.chunkBytes)
    let piece = rest.withLock { rest in
      let piece = rest.lowerBound..<min(rest.upperBound, rest.lowerBound + most)
      rest = piece.upperBound..<rest.upperBound
      return piece
    }
    if piece.isEmpty { return nil }
    return try await store.run("read") { [file] in
      let bytes = try file.read(at: piece.lowerBound, count: piece.count)
      guard bytes.count == piece.count else {
        throw BlobError(.ioFailure, operation: "read", message: "the file is shorter than it was")
      }
      return bytes
    }
  }
}
