/// Where the bytes of blobs are: a folder or S3. Knows no database and who refers to what; see `BlobLibrary`.
///
/// All stores pass one conformance suite. From any thread; nothing blocks the caller's.
public protocol BlobStore: Sendable {
  /// Opens an upload at its durable offset: where it was at its last checkpoint, or at 0 if there was none. An upload
  /// that is open in this process is taken away from whoever has it, who gets `.superseded`.
  /// - Throws: `BlobError`, e.g. `.busy` if another process has it open.
  func upload(_ id: UploadID) async throws -> any BlobUpload

  /// Removes whatever there is of an upload that has not been placed. None is fine.
  func discard(_ id: UploadID) async throws

  /// The size of a placed blob in bytes, or nil if there is none.
  func size(_ key: BlobKey) async throws -> UInt64?

  /// Reads part of a placed blob, which stays readable to the end once a folder store has opened it, also if it is
  /// deleted meanwhile.
  /// - Throws: `BlobError`: `.unknownBlob`, `.badRange` if the range goes beyond the end.
  func read(_ key: BlobKey, range: Range<UInt64>) async throws -> BlobContent

  /// Deletes a placed blob. None is fine.
  func delete(_ key: BlobKey) async throws

  /// Deletes what the list has shown. None is fine.
  func delete(_ entry: BlobPage.Entry) async throws

  /// What the store holds, page by page, in an order of its own.
  /// - Parameter cursor: nil for the first page, then what the page before gave.
  func list(after cursor: String?) async throws -> BlobPage

  /// What `setMark` has written: which database the contents belong to. Nil in a new store.
  /// - Throws: `BlobError`, e.g. `.refused` if there is no such store; so it also tells whether the store can be used.
  func mark() async throws -> [UInt8]?

  /// Writes the mark, in place of what was there, and returns once it is durable. At most 64 bytes.
  func setMark(_ mark: [UInt8]) async throws

  /// Refuses further calls and lets go of threads and connections. Uploads that are open stay resumable.
  func close() async
}

/// One upload as it is being written. Its calls come one after the other; they may come from different threads.
public protocol BlobUpload: AnyObject, Sendable {
  var id: UploadID { get }

  /// How many bytes have been taken: where the next ones go.
  var offset: UInt64 { get }

  /// How many bytes survive a crash.
  var durableOffset: UInt64 { get }

  /// Takes the next bytes. When it returns they are not durable yet.
  /// - Throws: `BlobError`; after `.diskFull`, `.overloaded` and `.tooLarge` the offset is what it was before.
  func append(_ bytes: [UInt8]) async throws

  /// Makes durable what has been taken, as far as the store can.
  /// - Returns: the durable offset, which may be acknowledged to the sender. A store that keeps large parts (S3) may
  ///   return less than `offset`.
  func checkpoint() async throws -> UInt64

  /// The name of what has been taken so far.
  func contentID() async throws -> BlobID

  /// Ends the upload: returns once the whole content is durable under `key`, there from one moment to the next.
  /// - Throws: `BlobError`; `.mismatch` if `key` has another hash than the content.
  func place(_ key: BlobKey) async throws

  /// Lets go of the upload. It can be taken up again at its durable offset.
  func close() async
}

/// One page of what a store holds.
public struct BlobPage: Sendable, Equatable {
  /// A placed blob, or an upload that is not.
  public enum Entry: Sendable, Hashable {
    /// `blob` is nil in stores whose names do not tell the hash.
    case placed(UploadID, blob: BlobID?, size: UInt64)
    case upload(UploadID)
  }

  public var entries: [Entry]

  /// Where the next page begins; nil after the last one.
  public var next: String?

  public init(entries: [Entry], next: String?) {
    self.entries = entries
    self.next = next
  }
}

/// Part of a blob, read piece by piece as the receiver asks for it. One task at a time.
public struct BlobContent: AsyncSequence, Sendable {
  public typealias Element = [UInt8]

  /// How many bytes it has in all.
  public let count: UInt64

  private let reader: any BlobReader

  /// For stores.
  public init(count: UInt64, reader: any BlobReader) {
    self.count = count
    self.reader = reader
  }

  public func makeAsyncIterator() -> Iterator { Iterator(reader: reader) }

  /// All bytes at once, for contents that are known to be small.
  /// - Throws: `BlobError`, `.tooLarge` if there are more than `limit`.
  public func bytes(limit: Int) async throws -> [UInt8] {
    guard count <= UInt64(limit) else {
      throw BlobError(.tooLarge, operation: "read", message: "\(count) bytes where \(limit) are allowed")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(count))
    while let chunk = try await reader.next() { bytes += chunk }
    return bytes
  }

  public struct Iterator: AsyncIteratorProtocol {
    let reader: any BlobReader

    public func next() async throws -> [UInt8]? { try await reader.next() }
  }
}

/// What a store reads with. Released when the last reference goes.
public protocol BlobReader: AnyObject, Sendable {
  /// The next piece, never empty and at most `BlobLimits.chunkBytes` long; nil after the last one.
  func next() async throws -> [UInt8]?
}
