internal import Blobs
internal import Cryptography

/// How far a large upload is durable: an object beside the parts, one for each writer, replaced after each part.
struct S3UploadRecord: Sendable, Equatable {
  /// A part that S3 has taken. Numbers rise, and may have gaps.
  struct Part: Sendable, Equatable {
    var number: Int
    /// What S3 called it.
    var tag: String
  }

  /// What S3 calls the upload.
  var multipart: String
  var offset: UInt64 = 0
  var hash = SHA256()
  var parts: [Part] = []

  private static let version = "octet-upload-2"

  init(multipart: String) {
    self.multipart = multipart
  }

  var bytes: [UInt8] {
    let lines =
      [Self.version, multipart, String(offset), HexText.text(hash.storedState)]
      + parts.map { "\($0.number) \($0.tag)" }
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
    for line in lines.dropFirst(4) {
      let words = line.split(separator: " ", maxSplits: 1)
      guard words.count == 2, let number = Int(words[0]) else { return nil }
      parts.append(Part(number: number, tag: String(words[1])))
    }
  }

  static func == (a: S3UploadRecord, b: S3UploadRecord) -> Bool { a.bytes == b.bytes }
}
