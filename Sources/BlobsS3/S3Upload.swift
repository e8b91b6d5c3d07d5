internal import Base
internal import Blobs
internal import Cryptography
internal import Curl

/// An upload into a bucket: what is less than a part is in memory, whole parts are durable.
final class S3Upload: BlobUpload {
  let id: UploadID
  private let store: S3BlobStore
  private let state: Locked<State>

  private enum State {
    case open(Open)
    /// Over, with what further calls get.
    case ended(BlobError.Code)
  }

  private struct Open {
    /// What there was when this writer began; nil if there was no whole part.
    let base: S3BlobStore.Found?
    /// The name of this writer's record, from its first part on.
    var name: String?
    /// The number of its next part.
    var nextNumber = 1
    /// What is durable; nil until there is a whole part.
    var record: S3UploadRecord?
    /// What came after it.
    private(set) var tail: [[UInt8]] = []
    private(set) var tailBytes = 0
    /// Of all that has been taken.
    var hash: SHA256
    var durable: UInt64 { record?.offset ?? 0 }
    var offset: UInt64 { durable + UInt64(tailBytes) }

    init(base: S3BlobStore.Found?) {
      (self.base, record) = (base, base?.record)
      hash = base?.record.hash ?? SHA256()
    }

    mutating func append(_ piece: [UInt8]) {
      tail.append(piece)
      tailBytes += piece.count
    }

    mutating func settle(_ record: S3UploadRecord) {
      self.record = record
      (tail, tailBytes) = ([], 0)
    }
  }

  init(_ id: UploadID, base: S3BlobStore.Found?, store: S3BlobStore) {
    self.id = id
    self.store = store
    state = Locked(.open(Open(base: base)))
  }

  deinit {
    store.uploads.forget(id, ObjectIdentifier(self))
  }

  var offset: UInt64 { (try? current("offset"))?.offset ?? 0 }
  var durableOffset: UInt64 { (try? current("offset"))?.durable ?? 0 }

  func append(_ bytes: [UInt8]) async throws {
    let offset = try current("append").offset
    let limit = min(
      store.limits.blobBytes, UInt64(store.client.options.partBytes) * UInt64(S3Limits.parts))
    guard UInt64(bytes.count) <= limit - min(limit, offset) else {
      throw BlobError(.tooLarge, operation: "append", message: "more than \(limit) bytes")
    }
    let partBytes = store.client.options.partBytes
    var rest = bytes[...]
    while !rest.isEmpty {
      var open = try current("append")
      let piece = Array(rest.prefix(partBytes - open.tailBytes))
      rest = rest.dropFirst(piece.count)
      open.hash = try await store.compute { [hash = open.hash] in
        var hash = hash
        hash.update(piece)
        return hash
      }
      open.append(piece)
      if open.tailBytes == partBytes { try await orEnd { try await sendPart(&open) } }
      try replace(open, "append")
    }
  }

  func checkpoint() async throws -> UInt64 {
    try current("checkpoint").durable
  }

  func contentID() async throws -> BlobID {
    guard let id = BlobID(bytes: try current("finish").hash.hash()) else { preconditionFailure("SHA-256 has 32 bytes") }
    return id
  }

  func place(_ key: BlobKey) async throws {
    var open = try current("place")
    guard open.hash.hash() == key.blob.bytes else {
      throw BlobError(.mismatch, operation: "place", message: "the content has another hash")
    }
    let name = S3BlobStore.blobName(id)
    try await orEnd {
      if open.record == nil {
        try await store.put("place", name, Array(open.tail.joined()))
      } else {
        let size = open.offset
        if open.tailBytes > 0 { try await sendPart(&open) }
        if let record = open.record { try await complete(record, size: size, key) }
        try await store.forget(id)
      }
    }
    end(.closed)
  }

  func close() async {
    end(.closed)
  }

  /// Ends the upload here; `reason` is what further calls get.
  func end(_ reason: BlobError.Code) {
    state.withLock { state in
      if case .open = state { state = .ended(reason) }
    }
  }

  /// Sends the tail as a part and notes it.
  private func sendPart(_ open: inout Open) async throws {
    let name = try await claimed(&open)
    var record: S3UploadRecord
    if let known = open.record { record = known } else { record = try await begin(name) }
    guard open.nextNumber <= S3Limits.parts else {
      throw BlobError(.tooLarge, operation: "append", message: "more than \(S3Limits.parts) parts")
    }
    let response = try await store.put(
      "append", S3BlobStore.blobName(id),
      query: [("partNumber", String(open.nextNumber)), ("uploadId", record.multipart)], Array(open.tail.joined()),
      answers: [S3Client.noUpload])
    if response.status >= 300 { throw Self.unknownUpload }
    guard let tag = response.headers["etag"], !tag.contains("\n") else {
      throw BlobError(.unavailable, operation: "append", message: "the part has no tag")
    }
    record.parts.append(S3UploadRecord.Part(number: open.nextNumber, tag: tag))
    record.offset += UInt64(open.tailBytes)
    record.hash = open.hash
    try await store.put("append", name, record.bytes)
    try await store.confirm(id, name)
    open.nextNumber += 1
    open.settle(record)
  }

  /// The name of this writer's record; claimed before its first part.
  private func claimed(_ open: inout Open) async throws -> String {
    if let name = open.name { return name }
    let (name, skipped) = try await store.claim(id, base: open.base)
    open.name = name
    // Without a record to go on from, this writer begins a multipart upload of its own.
    open.nextNumber = open.base.map { ($0.record.parts.last?.number ?? 0) + skipped + 1 } ?? 1
    return name
  }

  /// Begins the multipart upload, and notes that before anything is sent, so that it can be found and ended.
  private func begin(_ name: String) async throws -> S3UploadRecord {
    let response = try await store.client.send(
      S3Client.Call(operation: "append", method: "POST", key: S3BlobStore.blobName(id), query: [("uploads", "")]))
    guard let multipart = S3Document(response.body).first("UploadId"), !multipart.contains("\n") else {
      throw BlobError(.unavailable, operation: "append", message: "the upload has no id")
    }
    let record = S3UploadRecord(multipart: multipart)
    try await store.put("append", name, record.bytes)
    return record
  }

  private func complete(_ record: S3UploadRecord, size: UInt64, _ key: BlobKey) async throws {
    let parts = record.parts.map { part in
      "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(S3Document.encoded(part.tag))</ETag></Part>"
    }
    let body = Array("<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>".utf8)
    let response = try await store.client.send(
      S3Client.Call(
        operation: "place", method: "POST", key: S3BlobStore.blobName(id), query: [("uploadId", record.multipart)],
        body: body, bodyHash: HexText.text(Hash.sha256(body)),
        answers: [S3Client.noUpload]))
    // Unknown to S3: given up meanwhile, or completed by an attempt whose answer was lost.
    if response.status >= 300, try await store.size(key) != size { throw Self.unknownUpload }
  }

  private static let unknownUpload = BlobError(
    .unknownUpload, operation: "place", message: "the upload was given up meanwhile")

  private func current(_ operation: String) throws(BlobError) -> Open {
    switch state.withLock({ $0 }) {
    case .open(let open): return open
    case .ended(let reason): throw BlobError(reason, operation: operation, message: "the upload is over")
    }
  }

  private func replace(_ open: Open, _ operation: String) throws(BlobError) {
    let ended = state.withLock { state -> BlobError.Code? in
      if case .ended(let reason) = state { return reason }
      state = .open(open)
      return nil
    }
    if let ended { throw BlobError(ended, operation: operation, message: "the upload is over") }
  }

  /// Ends the upload if `body` fails: what S3 has is then unknown. Taken up again, it goes on from its record.
  private func orEnd(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch {
      end(.closed)
      throw error
    }
  }
}
