internal import Base
internal import Blobs
internal import Curl

/// The records of uploads, and who may write. S3 checks no fence, so a writer whose place another one has taken, perhaps on
/// another node, is kept from harm by names: each writer has a record and numbers of parts of its own.
///
///     uploads/UPLOAD.000001-RANDOM
///
/// A writer claims the next name before its first part, with a bare one, and looks after that which names there are:
/// - one above its own: another writer has come, and it is over;
/// - the highest one below that is no bare claim must be the record that it began with: otherwise somebody has gone on since.
///
/// It looks again after each part and its record, before it calls the part durable. Of two writers that do so, in whatever
/// order their requests arrive, one sees the other's claim, or the other its record. So at most one part is on its way
/// for each writer that was superseded; its number is left out by those who come later.
extension S3BlobStore {
  /// What a writer finds: the newest record, and under which name.
  struct Found: Sendable, Equatable {
    var name: String
    var record: S3UploadRecord
  }

  static let records = "uploads/"
  private static let claimDigits = 6
  private static let bareClaim = Array("octet-claim-1".utf8)

  /// The upload of a record's name, after the folder.
  static func upload(ofRecord name: Substring) -> UploadID? {
    UploadID(String(name.prefix { $0 != "." }))
  }

  /// The newest record of an upload; nil before its first part.
  func newest(_ id: UploadID) async throws -> Found? {
    try await newest(among: names(id))
  }

  /// Takes the next name for a writer that began with `base`.
  /// - Returns: the name, and how many numbers of parts after the last one of `base` may be on their way to S3.
  /// - Throws: `BlobError` `.superseded` if another writer has come.
  func claim(_ id: UploadID, base: Found?) async throws -> (name: String, skipped: Int) {
    let before = try await names(id)
    let name = nextName(id, after: before.last)
    try await put("append", name, Self.bareClaim)
    let names = try await names(id)
    let earlier = names.prefix { $0 < name }
    guard names.last == name, try await newest(among: Array(earlier)) == base else {
      // Nothing was written by it, so whoever goes on need not make room for it.
      try? await delete(name)
      throw Self.superseded
    }
    // One by the writer of `base`, one by each who has claimed a name since.
    return (name, earlier.count { $0 > (base?.name ?? "") } + 1)
  }

  /// - Throws: `BlobError` `.superseded` if another writer than the one of this name has come.
  func confirm(_ id: UploadID, _ name: String) async throws {
    guard try await names(id).last == name else { throw Self.superseded }
  }

  /// Removes all records of an upload, and what they tell of that was not placed.
  func forget(_ id: UploadID) async throws {
    for name in try await names(id) {
      if let record = try await record(name) {
        _ = try await client.send(
          S3Client.Call(
            operation: "discard", method: "DELETE", key: Self.blobName(id), query: [("uploadId", record.multipart)],
            answers: [S3Client.noUpload]))
      }
      try await delete(name)
    }
  }

  private static let superseded = BlobError(
    .superseded, operation: "append", message: "another writer goes on with the upload")

  /// In order.
  private func names(_ id: UploadID) async throws -> [String] {
    var names: [String] = []
    var token: String?
    repeat {
      let page = try await objects("upload", Self.records + id.text, after: token)
      names += page.objects.map(\.name)
      token = page.next
    } while token != nil
    return names.sorted()
  }

  private func nextName(_ id: UploadID, after last: String?) -> String {
    let number = last.flatMap { $0.split(separator: ".").last?.prefix(Self.claimDigits) }.flatMap { Int($0) } ?? 0
    let digits = String(number + 1)
    let padding = String(repeating: "0", count: max(0, Self.claimDigits - digits.count))
    return "\(Self.records)\(id.text).\(padding)\(digits)-\(HexText.text(random.bytes(8)))"
  }

  private func newest(among names: [String]) async throws -> Found? {
    for name in names.reversed() {
      if let record = try await record(name) { return Found(name: name, record: record) }
    }
    return nil
  }

  /// Nil for a bare claim, and for what is gone.
  private func record(_ name: String) async throws -> S3UploadRecord? {
    let response = try await client.send(
      S3Client.Call(
        operation: "upload", method: "GET", key: name, answerBytes: S3Limits.recordBytes,
        answers: [S3Client.noKey]))
    if response.status >= 300 || response.body == Self.bareClaim { return nil }
    guard let record = S3UploadRecord(response.body) else {
      throw BlobError(.ioFailure, operation: "upload", message: "the record of the upload is not one")
    }
    return record
  }
}
