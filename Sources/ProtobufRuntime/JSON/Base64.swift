/// Base 64 of RFC 4648.
package enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The value of each octet in either alphabet; 255 for what is in neither.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, octet) in alphabet.enumerated() { values[Int(octet)] = UInt8(value) }
    values[Int(UInt8(ascii: "-"))] = 62
    values[Int(UInt8(ascii: "_"))] = 63
    return values
  }()

  /// The standard alphabet, padded.
  package static func encode(_ bytes: some Collection<UInt8>) -> String {
    var result: [UInt8] = []
    result.reserveCapacity((bytes.count + 2) / 3 * 4)
    var group: UInt32 = 0
    var count = 0
    for byte in bytes {
      group = group << 8 | UInt32(byte)
      count += 1
      if count == 3 {
        for shift in stride(from: UInt32(18), through: 0, by: -6) { result.append(alphabet[Int(group >> shift & 63)]) }
        (group, count) = (0, 0)
      }
    }
    if count > 0 {
      group <<= UInt32(8 * (3 - count))
      for index in 0..<4 {
        result.append(index <= count ? alphabet[Int(group >> UInt32(18 - 6 * index) & 63)] : UInt8(ascii: "="))
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Reads the standard and the URL-safe alphabet, padded or not; nil for anything else.
  package static func decode(_ text: String) -> [UInt8]? {
    var input = Array(text.utf8)
    if input.count % 4 == 0 {
      for _ in 0..<2 where input.last == UInt8(ascii: "=") { input.removeLast() }
    }
    guard input.count % 4 != 1 else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(input.count * 3 / 4)
    var group: UInt32 = 0
    var bits: UInt32 = 0
    for octet in input {
      let value = values[Int(octet)]
      guard value < 64 else { return nil }
      group = group << 6 | UInt32(value)
      bits += 6
      if bits >= 8 {
        bits -= 8
        result.append(UInt8(truncatingIfNeeded: group >> bits))
      }
    }
    return result
  }
}
