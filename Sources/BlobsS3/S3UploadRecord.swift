internal import Blobs
internal import Cryptography

/// How far a large upload is durable: an object of its own beside the parts, replaced after each of them.
struct S3UploadRecord: Sendable {
  /// What S3 calls the upload.
  var multipart: String
  var offset: UInt64 = 0
  var hash = SHA256()
  /// What S3 called the parts. An upload that two nodes wrote at once cannot be completed with the other's parts.
  var tags: [String] = []

  private static let version = "octet-upload-1"

  init(multipart: String) {
    self.multipart = multipart
  }

  var bytes: [UInt8] {
    let lines = [Self.version, multipart, String(offset), HexText.text(hash.storedState)] + tags
    return Array(lines.joined(separator: "\n").utf8)
  }

  init?(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 4, lines[0] == Self.version, let offset = UInt64(lines[2]),
      let state = HexText.bytes(String(lines[3])), let hash = SHA256(storedState: state)
    else { return nil }
    multipart = String(lines[1])
    self.offset = offset
    self.hash = hash
    tags = lines.dropFirst(4).map(String.init)
  }
}
