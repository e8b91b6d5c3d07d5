/// The encoding of `grpc-message`: printable ASCII stands for itself, but for `%`; all else is `%XX` of its UTF-8.
enum PercentEncoding {
  static func encode(_ text: String) -> String {
    guard text.utf8.contains(where: needsEncoding) else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count * 2)
    for octet in text.utf8 {
      if needsEncoding(octet) {
        result.append(UInt8(ascii: "%"))
        result.append(digit(octet >> 4))
        result.append(digit(octet & 15))
      } else {
        result.append(octet)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Never fails: a malformed escape stays as it is, and what is not UTF-8 afterwards is repaired, because a message
  /// that is hard to read is better than none.
  static func decode(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
    let input = Array(text.utf8)
    var result: [UInt8] = []
    result.reserveCapacity(input.count)
    var index = 0
    while index < input.count {
      if input[index] == UInt8(ascii: "%"), index + 2 < input.count,
        let high = value(input[index + 1]), let low = value(input[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(input[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func needsEncoding(_ octet: UInt8) -> Bool {
    octet < 0x20 || octet > 0x7e || octet == UInt8(ascii: "%")
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
