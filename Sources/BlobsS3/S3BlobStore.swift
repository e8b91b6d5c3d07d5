public import Base
public import Blobs
internal import Cryptography
internal import Curl

/// Blobs in a bucket of S3 or of a server that speaks its protocol.
///
///     blobs/UPLOAD      contents; the hash is in the database, since it is not known when a large one begins
///     uploads/UPLOAD.…  how far a large upload is, by each of its writers
///     mark              which database it belongs to
///
/// What is smaller than a part is sent when it is placed. Larger contents are multipart uploads, durable part by part;
/// give the bucket a rule that ends multipart uploads that are older than `BlobPolicy.uploadLifetime`, for those whose
/// node was killed between the beginning of one and its record.
public final class S3BlobStore: BlobStore {
  let client: S3Client
  let limits: BlobLimits
  let random: any RandomSource
  private let pageSize: Int
  let uploads = OpenUploads<S3Upload>()
  /// Hashing takes a processor and has no place on an event loop.
  private let pool: BlockingPool

  /// Makes a store; no request is sent.
  /// - Throws: `BlobError` `.refused` if the endpoint is not one.
  public convenience init(
    _ options: S3Options, limits: BlobLimits = BlobLimits(), clock: any WallClock, random: any RandomSource
  ) throws(BlobError) {
    try self.init(options, limits: limits, clock: clock, random: random, pageSize: 1000)
  }

  /// - Parameter pageSize: names that S3 lists at once, 1,000 at most.
  init(
    _ options: S3Options, limits: BlobLimits = BlobLimits(), clock: any WallClock, random: any RandomSource,
    pageSize: Int
  ) throws(BlobError) {
    self.pageSize = pageSize
    client = try S3Client(options, clock: clock, random: random)
    self.random = random
    self.limits = limits
    pool = BlockingPool(name: "s3-hash", threads: limits.threads, waiting: limits.waitingCalls)
  }

  static func blobName(_ id: UploadID) -> String { blobs + id.text }
  private static let markName = "mark"
  private static let blobs = "blobs/"

  public func upload(_ id: UploadID) async throws -> any BlobUpload {
    uploads.take(id)?.end(.superseded)
    let upload = S3Upload(id, base: try await newest(id), store: self)
    // Whoever came meanwhile is earlier.
    uploads.take(id)?.end(.superseded)
    uploads.insert(upload)
    return upload
  }

  public func discard(_ id: UploadID) async throws {
    uploads.take(id)?.end(.unknownUpload)
    try await forget(id)
  }

  public func size(_ key: BlobKey) async throws -> UInt64? {
    // A list, and not HEAD: that a blob is gone must be S3's own word, and an answer to HEAD has none.
    let name = Self.blobName(key.upload)
    guard let found = try await objects("size", name, after: nil).objects.first(where: { $0.name == name }) else {
      return nil
    }
    guard let size = found.object.first("Size").flatMap({ UInt64($0) }) else {
      throw BlobError(.unavailable, operation: "size", message: "the answer has no length")
    }
    return size
  }

  public func read(_ key: BlobKey, range: Range<UInt64>) async throws -> BlobContent {
    if range.isEmpty {
      guard let size = try await size(key) else { throw S3Reader.unknownBlob }
      guard range.upperBound <= size else { throw S3Reader.badRange }
    }
    let reader = S3Reader(Self.blobName(key.upload), range: range, store: self)
    // The first piece tells whether there is such a blob, and how large it is.
    try await reader.fetch()
    return BlobContent(count: range.upperBound - range.lowerBound, reader: reader)
  }

  public func delete(_ key: BlobKey) async throws {
    try await delete(Self.blobName(key.upload))
  }

  public func delete(_ entry: BlobPage.Entry) async throws {
    switch entry {
    case .placed(let id, _, _): try await delete(Self.blobName(id))
    case .upload(let id): try await discard(id)
    }
  }

  /// The cursor is the kind of names and S3's own token: first all blobs, then the records of uploads.
  public func list(after cursor: String?) async throws -> BlobPage {
    let folder = cursor?.hasPrefix(Self.records) == true ? Self.records : Self.blobs
    let token = cursor.map { String($0.dropFirst(folder.count)) } ?? ""
    let page = try await objects("list", folder, after: token.isEmpty ? nil : token)
    let entries = page.objects.compactMap { name, object -> BlobPage.Entry? in
      guard let id = Self.upload(ofRecord: name.dropFirst(folder.count)) else { return nil }
      guard folder == Self.blobs else { return .upload(id) }
      return object.first("Size").flatMap { UInt64($0) }.map { .placed(id, blob: nil, size: $0) }
    }
    if let next = page.next { return BlobPage(entries: entries, next: folder + next) }
    return BlobPage(entries: entries, next: folder == Self.blobs ? Self.records : nil)
  }

  /// Objects whose names begin so, without the store's own prefix, and S3's token of the next page.
  func objects(
    _ operation: String, _ start: String, after token: String?
  ) async throws -> (objects: [(name: String, object: S3Document)], next: String?) {
    let prefix = client.options.prefix
    var query = [("list-type", "2"), ("prefix", prefix + start), ("max-keys", String(pageSize))]
    if let token { query.append(("continuation-token", token)) }
    let response = try await client.send(S3Client.Call(operation: operation, method: "GET", query: query))
    let document = S3Document(response.body)
    let objects = document.elements("Contents").compactMap { object -> (name: String, object: S3Document)? in
      guard let key = object.first("Key"), key.hasPrefix(prefix + start) else { return nil }
      return (String(key.dropFirst(prefix.count)), object)
    }
    return (objects, document.first("IsTruncated") == "true" ? document.first("NextContinuationToken") : nil)
  }

  public func mark() async throws -> [UInt8]? {
    let response = try await client.send(
      S3Client.Call(
        operation: "mark", method: "GET", key: Self.markName, answerBytes: S3Limits.recordBytes,
        answers: [S3Client.noKey]))
    if response.status >= 300 { return nil }
    guard let mark = HexText.bytes(String(decoding: response.body, as: UTF8.self)) else {
      throw BlobError(.ioFailure, operation: "mark", message: "the mark of the store is not one")
    }
    return mark
  }

  public func setMark(_ mark: [UInt8]) async throws {
    try await put("mark", Self.markName, Array(HexText.text(mark).utf8))
  }

  public func close() async {
    for upload in uploads.takeAll() { upload.end(.closed) }
    client.http.close()
    // Waits for threads, so it has one of its own.
    try? await OSThread.run(name: "blobs-close") { [pool] in pool.shutDown() }
  }

  /// Sends an object's bytes, or those of a part: S3 has them when this returns, unless it says one of `answers`.
  @discardableResult
  func put(
    _ operation: String, _ name: String, query: [(String, String)] = [], _ body: [UInt8], answers: Set<String> = []
  ) async throws -> CurlResponse {
    let hash = try await compute { HexText.text(Hash.sha256(body)) }
    return try await client.send(
      S3Client.Call(
        operation: operation, method: "PUT", key: name, query: query, body: body, bodyHash: hash, answers: answers))
  }

  func delete(_ name: String) async throws {
    _ = try await client.send(
      S3Client.Call(operation: "delete", method: "DELETE", key: name, answers: [S3Client.noKey]))
  }

  /// Runs what takes a processor for long on a thread of the store.
  func compute<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async throws -> Result {
    do {
      return try await pool.run(body)
    } catch QueueRefusal.full {
      throw BlobError(.overloaded, operation: "hash", message: "\(limits.waitingCalls) calls are waiting already")
    } catch QueueRefusal.closed {
      throw BlobError(.closed, operation: "hash", message: "the store is closed")
    }
  }
}
