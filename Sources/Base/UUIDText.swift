/// The usual text of a UUID: 8-4-4-4-12 hexadecimal digits (RFC 9562 §4).
public enum UUIDText {
  private static let length = 36

  /// The 16 bytes of a UUID in digits of either case; nil if `text` is none.
  public static func bytes(_ text: String) -> [UInt8]? {
    guard text.utf8.count == length else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(16)
    var high: UInt8?
    for (index, octet) in text.utf8.enumerated() {
      if isHyphen(index) {
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
    var octets: [UInt8] = []
    octets.reserveCapacity(length)
    for byte in bytes {
      if isHyphen(octets.count) { octets.append(UInt8(ascii: "-")) }
      octets.append(digit(byte >> 4))
      octets.append(digit(byte & 15))
    }
    return String(decoding: octets, as: UTF8.self)
  }

  /// Not a set of the four places: every mutating call has a UUID read, and each look at a set hashes.
  private static func isHyphen(_ index: Int) -> Bool { index == 8 || index == 13 || index == 18 || index == 23 }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
