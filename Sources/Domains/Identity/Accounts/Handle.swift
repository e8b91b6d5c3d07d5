/// The public name of a user: unique without regard to case, shown as it was written.
struct Handle: Sendable, Equatable {
  /// As it was written.
  let text: String
  /// What is compared: the same in lower case.
  let key: String

  static let lengths = 3...30

  /// Nil unless `text` is 3 to 30 letters a to z, digits, dots and underscores, and begins with a letter.
  init?(_ text: String) {
    let bytes = text.utf8
    guard Self.lengths.contains(bytes.count), let first = bytes.first, Self.isLetter(first),
      bytes.allSatisfy({ Self.isLetter($0) || Self.isDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") })
    else { return nil }
    self.text = text
    key = text.lowercased()
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}
