public import Base
public import Storage

/// The name of a content: its SHA-256. Same content, same name.
///
/// There is no way to make one from a text that is not 64 hexadecimal digits, so none can lead out of a folder.
public struct BlobID: Sendable, Hashable, Comparable {
  /// The hash, 32 bytes.
  public let bytes: [UInt8]

  /// - Returns: nil unless there are 32 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// Reads 64 hexadecimal digits in lower case.
  public init?(_ text: String) {
    guard let bytes = HexText.bytes(text) else { return nil }
    self.init(bytes: bytes)
  }

  /// 64 hexadecimal digits in lower case, as `sha256sum` prints them.
  public var text: String { HexText.text(bytes) }

  public static func < (a: BlobID, b: BlobID) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

/// The name of one upload: 48 bits of milliseconds since the Unix epoch, then 80 random ones. Never given out twice,
/// so what is deleted under it can never be what a later upload brought.
public struct UploadID: Sendable, Hashable, Comparable {
  /// 16 bytes, which sort by time.
  public let bytes: [UInt8]

  /// - Returns: nil unless there are 16 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 16 else { return nil }
    self.bytes = bytes
  }

  /// Reads 32 hexadecimal digits in lower case.
  public init?(_ text: String) {
    guard let bytes = HexText.bytes(text) else { return nil }
    self.init(bytes: bytes)
  }

  /// A new one. `random` must be of a kind that does not repeat, such as the system's.
  public init(at instant: Instant, random: any RandomSource) {
    bytes = UInt64(clamping: instant.milliseconds).bigEndianBytes.suffix(6) + random.bytes(10)
  }

  /// 32 hexadecimal digits in lower case.
  public var text: String { HexText.text(bytes) }

  public static func < (a: UploadID, b: UploadID) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

/// Where a store keeps a content: under its hash and the upload that brought it.
///
/// The upload is part of the name so that it is used once: a deletion that comes late, from a node that was stopped in
/// between, finds the old name and not the same content that has been uploaded again since.
public struct BlobKey: Sendable, Hashable, Comparable {
  public let blob: BlobID
  public let upload: UploadID

  public init(blob: BlobID, upload: UploadID) {
    self.blob = blob
    self.upload = upload
  }

  /// `HASH.UPLOAD`.
  public var text: String { "\(blob.text).\(upload.text)" }

  /// Reads what `text` gives.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let blob = BlobID(String(parts[0])), let upload = UploadID(String(parts[1])) else {
      return nil
    }
    self.init(blob: blob, upload: upload)
  }

  public static func < (a: BlobKey, b: BlobKey) -> Bool { (a.blob, a.upload) < (b.blob, b.upload) }
}

extension BlobID: SQLBindable, SQLReadable {
  public var sqlValue: SQLValue { .blob(bytes) }

  /// Traps on another length: only the program itself writes the column.
  public init(row: any Row, column: Int) {
    guard let id = BlobID(bytes: row.blob(column)) else { preconditionFailure("a column of blobs holds no hash") }
    self = id
  }
}

extension UploadID: SQLBindable, SQLReadable {
  public var sqlValue: SQLValue { .blob(bytes) }

  /// Traps on another length: only the program itself writes the column.
  public init(row: any Row, column: Int) {
    guard let id = UploadID(bytes: row.blob(column)) else { preconditionFailure("a column of uploads holds no id") }
    self = id
  }
}

/// Bytes as hexadecimal digits in lower case.
package enum HexText {
  package static func text(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  package static func bytes(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var high: UInt8?
    for character in text.utf8 {
      let digit: UInt8
      switch character {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
      default: return nil
      }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return high == nil ? bytes : nil
  }
}
