public import Base
public import Storage

/// Blobs as domains use them: bytes in a store, truth in the database.
///
///     let upload = try await library.begin()
///     for try await chunk in request { try await upload.append(chunk) }
///     let finished = try await upload.finish(expecting: BlobExpectation(id: claimed))
///     try await database.write { writer in
///       try library.references.adopt(finished, by: BlobOwner("media.original", media), in: writer)
///     }
///
/// An upload that no transaction adopts expires. Safe to share between threads; any number of nodes may use one
/// database and one store.
public final class BlobLibrary: Sendable {
  public let references: BlobReferences
  let store: any BlobStore
  let database: any Database
  let clock: any WallClock
  let random: any RandomSource
  let policy: BlobPolicy

  /// - Parameters:
  ///   - store: for this database alone; `audit` deletes what the database does not know.
  ///   - database: with the tables of `BlobSchema.migrations`.
  ///   - random: must not repeat; a seeded one is for tests.
  public init(
    store: any BlobStore, database: any Database, clock: any WallClock, random: any RandomSource,
    policy: BlobPolicy = BlobPolicy()
  ) {
    self.store = store
    self.database = database
    self.clock = clock
    self.random = random
    self.policy = policy
    references = BlobReferences(clock: clock)
  }

  /// Begins an upload. Its id is good for `resume` until it expires, also on other nodes and after a crash.
  public func begin() async throws -> Upload {
    // The row is there before the store has anything, so that nothing in the store is without a row.
    let id = try await database.write { [self] writer in try begin(in: writer) }
    return Upload(try await store.upload(id), library: self)
  }

  /// Begins an upload with the caller's transaction, for `resume` after its commit.
  public func begin(in writer: any Writer) throws -> UploadID {
    let id = UploadID(at: clock.now(), random: random)
    try writer.send(
      "INSERT INTO octet_blob_uploads (id, expires_at) VALUES ($1, $2)", id, clock.now() + policy.uploadLifetime)
    return id
  }

  /// Takes up an upload again: at its durable offset, or finished if it was. It lives on for another lifetime.
  /// - Throws: `BlobError` `.unknownUpload` if it has expired, was cancelled or adopted; `.busy`; `StorageError`.
  public func resume(_ id: UploadID) async throws -> ResumedUpload {
    let expiry = clock.now() + policy.uploadLifetime
    let (blob, size): (BlobID?, UInt64?) = try await database.write { writer in
      let changed = try writer.execute("UPDATE octet_blob_uploads SET expires_at = $2 WHERE id = $1", id, expiry)
      guard changed == 1 else { throw Self.unknownUpload("resume") }
      // The row is there: this transaction has just changed it.
      return try writer.first("SELECT content, size FROM octet_blob_uploads WHERE id = $1", id) { ($0[0], $0[1]) }
        ?? (nil, nil)
    }
    // A finished upload whose bytes did not get their place before a crash goes on from its last checkpoint.
    if let blob, let size, try await store.size(BlobKey(blob: blob, upload: id)) == size {
      // A crash may have come between the last step of placing and the removal of what the upload needed.
      try await store.discard(id)
      return .finished(FinishedUpload(upload: id, blob: blob, size: size))
    }
    return .open(Upload(try await store.upload(id), library: self))
  }

  /// Gives an upload up that was not adopted. None is fine.
  public func cancel(_ id: UploadID) async throws {
    try await database.write { [self] writer in try cancel(id, in: writer) }
  }

  /// The same in the caller's transaction.
  public func cancel(_ id: UploadID, in writer: any Writer) throws {
    let blob: BlobID?? = try writer.firstForUpdate("SELECT content FROM octet_blob_uploads WHERE id = $1", id) { $0[0] }
    guard let blob else { return }
    try writer.send("DELETE FROM octet_blob_uploads WHERE id = $1", id)
    try writer.send("INSERT INTO octet_blob_trash (upload, content) VALUES ($1, $2)", id, blob)
  }

  /// Stores a small content in one go.
  public func put(_ bytes: [UInt8]) async throws -> FinishedUpload {
    let upload = try await begin()
    try await upload.append(bytes)
    return try await upload.finish()
  }

  /// The blob, or nil unless a committed row refers to it.
  public func find(_ blob: BlobID) async throws -> BlobInfo? {
    try await database.read { [references] reader in try references.find(blob, in: reader) }
  }

  /// Reads a blob or a part of it.
  /// - Parameter range: in bytes; nil for all.
  /// - Throws: `BlobError` `.unknownBlob` unless a committed row refers to it; `.badRange` if the range goes beyond the
  ///   end; `StorageError`.
  public func read(_ blob: BlobID, range: Range<UInt64>? = nil) async throws -> BlobContent {
    guard let info = try await find(blob) else {
      throw BlobError(.unknownBlob, operation: "read", message: "nobody refers to this content")
    }
    return try await read(info, range: range)
  }

  /// The same for a blob that was found in the caller's transaction.
  public func read(_ info: BlobInfo, range: Range<UInt64>? = nil) async throws -> BlobContent {
    let range = range ?? 0..<info.size
    guard range.upperBound <= info.size else {
      throw BlobError(.badRange, operation: "read", message: "the range ends beyond the blob")
    }
    return try await store.read(info.key, range: range)
  }

  /// Notes what an upload turned out to be, before its bytes get their place: if it is given up, the collector knows
  /// where to look. What is noted stays, as a store may be placing it at this moment, for a writer whose place another one
  /// has taken: where the name does not tell the content (S3), that would replace another one.
  /// - Returns: whether it is noted; not if another content was.
  func recordFinish(_ finished: FinishedUpload, in writer: any Writer) throws -> Bool {
    let noted: BlobID?? = try writer.firstForUpdate(
      "SELECT content FROM octet_blob_uploads WHERE id = $1", finished.upload
    ) { $0[0] }
    guard let noted else { throw Self.unknownUpload("finish") }
    guard noted == nil || noted == finished.blob else { return false }
    try writer.execute(
      "UPDATE octet_blob_uploads SET content = $2, size = $3, expires_at = $4 WHERE id = $1", finished.upload,
      finished.blob, finished.size, clock.now() + policy.uploadLifetime)
    return true
  }

  private static func unknownUpload(_ operation: String) -> BlobError {
    BlobError(.unknownUpload, operation: operation, message: "the upload has expired, or was adopted already")
  }
}

/// How long things live that nobody refers to.
public struct BlobPolicy: Sendable, Equatable {
  /// An upload that is neither taken up again nor adopted for so long is given up. A week lets a phone come home from a
  /// journey.
  public var uploadLifetime: Duration = .seconds(7 * 86_400)

  /// A blob is deleted when nobody has referred to it for so long. Whoever reads it while its last owner goes has this
  /// time to read to the end, and a backup of the store this time to follow that of the database.
  public var grace: Duration = .seconds(86_400)

  public init() {}
}

/// What an upload was found to be.
public enum ResumedUpload: Sendable {
  /// It goes on at its durable offset.
  case open(Upload)
  /// All has been sent; it only has to be adopted.
  case finished(FinishedUpload)
}

/// What the sender says that the content is.
public struct BlobExpectation: Sendable, Equatable {
  public var id: BlobID?

  /// In bytes.
  public var size: UInt64?

  public init(id: BlobID? = nil, size: UInt64? = nil) {
    self.id = id
    self.size = size
  }
}

/// An upload that is under way. Its calls come one after the other.
///
/// It is over when it is finished, when its connection's task lets go of it, or when somebody takes it up again, whose
/// predecessor gets `.superseded`.
public final class Upload: Sendable {
  private let upload: any BlobUpload
  private let library: BlobLibrary

  init(_ upload: any BlobUpload, library: BlobLibrary) {
    self.upload = upload
    self.library = library
  }

  /// What `resume` takes.
  public var id: UploadID { upload.id }

  /// Where the next bytes go.
  public var offset: UInt64 { upload.offset }

  /// How much survives a crash, and may be acknowledged to the sender.
  public var durableOffset: UInt64 { upload.durableOffset }

  /// Takes the next bytes. They are not durable before `checkpoint` or `finish`.
  public func append(_ bytes: [UInt8]) async throws {
    if !bytes.isEmpty { try await upload.append(bytes) }
  }

  /// Makes durable what was taken, as far as the store can. Costs two synchronized writes: for every few megabytes or
  /// seconds, not for every chunk.
  /// - Returns: the durable offset.
  public func checkpoint() async throws -> UInt64 {
    try await upload.checkpoint()
  }

  /// Ends the upload: returns once the content is durable, to be adopted by a transaction.
  /// - Parameters:
  ///   - confirm: looks, in a transaction before the content gets its place, whether this upload may still be finished by
  ///     its caller; what it throws leaves the upload as it is.
  ///   - refused: notes, in the transaction that cancels the upload, that the content is not what was expected, or another
  ///     than before.
  /// - Throws: `BlobError` `.mismatch` if the content is not what was expected, or not what this upload was finished with
  ///   before by a writer who may still be placing it, and the upload is cancelled;
  ///   `.unknownUpload` if it has expired; `StorageError`; what `confirm` and `refused` throw.
  public func finish(
    expecting expected: BlobExpectation = BlobExpectation(),
    confirm: @escaping @Sendable (any Writer) throws -> Void = { _ in },
    refused: @escaping @Sendable (any Writer) throws -> Void = { _ in }
  ) async throws -> FinishedUpload {
    let finished = FinishedUpload(upload: id, blob: try await upload.contentID(), size: upload.offset)
    let isExpected =
      expected.id ?? finished.blob == finished.blob && expected.size ?? finished.size == finished.size
    let isRecorded = try await library.database.write { [library] writer in
      try confirm(writer)
      if isExpected, try library.recordFinish(finished, in: writer) { return true }
      try library.cancel(finished.upload, in: writer)
      try refused(writer)
      return false
    }
    guard isRecorded else {
      await upload.close()
      throw BlobError(
        .mismatch, operation: "finish", message: "the content is not what was announced, or not what it was before")
    }
    try await upload.place(BlobKey(blob: finished.blob, upload: id))
    return finished
  }

  /// Lets go of the upload, which can be taken up again.
  public func close() async {
    await upload.close()
  }
}
