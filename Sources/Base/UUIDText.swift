/// The usual text of a UUID: 8-4-4-4-12 hexadecimal digits (RFC 9562 §4).
public enum UUIDText {
  private static let length = 36
  private static let hyphens: Set<Int> = [8, 13, 18, 23]

  /// The 16 bytes of a UUID in digits of either case; nil if `text` is none.
  public static func bytes(_ text: String) -> [UInt8]? {
    guard text.utf8.count == length else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(16)
    var high: UInt8?
    for (index, octet) in text.utf8.enumerated() {
      if hyphens.contains(index) {
        guard octet == UInt8(ascii: "-") else { return nil }
        continue
      }
      let digit: UInt8
      switch octet {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = octet - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = octet - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = octet - UInt8(ascii: "A") + 10
      default: return nil
      }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return bytes
  }

  /// The text of 16 bytes, with digits in lower case.
  public static func text(_ bytes: [UInt8]) -> String {
    precondition(bytes.count == 16, "a UUID has 16 bytes")
    var text = ""
    for byte in bytes {
      if hyphens.contains(text.utf8.count) { text += "-" }
      text += String(byte, radix: 16, width: 2)
    }
    return text
  }
}
