/// Base 64 of RFC 4648, in either alphabet.
public enum Base64: Sendable {
  /// With `+` and `/` (§4).
  case standard
  /// With `-` and `_`, for URLs and file names (§5): how opaque tokens are printed.
  case url

  /// - Parameter padded: whether `=` fills the last group of four.
  public func encode(_ bytes: [UInt8], padded: Bool = false) -> String {
    let digits = self == .url ? Self.urlDigits : Self.standardDigits
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var buffer: UInt32 = 0
    var bits: UInt32 = 0
    for byte in bytes {
      buffer = buffer << 8 | UInt32(byte)
      bits += 8
      while bits >= 6 {
        bits -= 6
        text.append(digits[Int(buffer >> bits & 63)])
      }
    }
    if bits > 0 { text.append(digits[Int(buffer << (6 - bits) & 63)]) }
    if padded { while text.count % 4 != 0 { text.append(Self.padding) } }
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads one alphabet, the standard one padded or not, the one for URLs without padding.
  /// - Returns: nil for anything else. Bits beyond the last octet must be 0, so that bytes have one text only, but for
  ///   the padding.
  public func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    switch self {
    case .standard: Self.bytes(Self.withoutPadding(text), Self.standardValues, ignoringSpareBits: false)
    case .url: Self.bytes(text, Self.urlValues, ignoringSpareBits: false)
    }
  }

  /// Reads one alphabet, the standard one padded or not, the one for URLs without padding.
  /// - Returns: nil for anything else. Bits beyond the last octet must be 0, so that bytes have one text only, but for
  ///   the padding.
  public func decode(_ text: String) -> [UInt8]? { decode(Array(text.utf8)[...]) }

  /// Reads both alphabets, padded or not, and ignores bits beyond the last octet, as JSON of protobuf asks for.
  /// - Returns: nil for anything else.
  public static func decodeLeniently(_ text: String) -> [UInt8]? {
    bytes(withoutPadding(Array(text.utf8)[...]), eitherValues, ignoringSpareBits: true)
  }

  // MARK: Parts

  private static let padding = UInt8(ascii: "=")
  private static let standardDigits: [UInt8] = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let urlDigits: [UInt8] = standardDigits.dropLast(2) + Array("-_".utf8)

  private static let standardValues = values(standardDigits)
  private static let urlValues = values(urlDigits)
  private static let eitherValues = zip(standardValues, urlValues).map { min($0, $1) }
  /// What the tables hold for octets that are no digits.
  private static let noDigit: UInt8 = 255

  /// The value of each octet.
  private static func values(_ digits: [UInt8]) -> [UInt8] {
    var values = [UInt8](repeating: noDigit, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }

  /// Padding that does not belong there is left, and is no digit.
  private static func withoutPadding(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text
    if text.count % 4 == 0 {
      for _ in 0..<2 where text.last == padding { text.removeLast() }
    }
    return text
  }

  private static func bytes(_ text: ArraySlice<UInt8>, _ values: [UInt8], ignoringSpareBits: Bool) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count * 3 / 4)
    var buffer: UInt32 = 0
    var bits: UInt32 = 0
    for digit in text {
      let value = values[Int(digit)]
      guard value != noDigit else { return nil }
      buffer = buffer << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: buffer >> bits))
      }
    }
    // A whole digit is never spare.
    guard bits < 6, ignoringSpareBits || buffer & (1 << bits - 1) == 0 else { return nil }
    return bytes
  }
}
