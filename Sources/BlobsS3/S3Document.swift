/// What S3's answers say, as far as this store needs it. Not an XML parser: elements without attributes are looked for
/// by name, and their texts are decoded.
struct S3Document {
  private let text: Substring

  init(_ bytes: [UInt8]) {
    text = Substring(String(decoding: bytes, as: UTF8.self))
  }

  private init(text: Substring) {
    self.text = text
  }

  /// The contents of all elements of a name, in order; an element within one of the same name is not expected.
  func elements(_ name: String) -> [S3Document] {
    var result: [S3Document] = []
    var rest = text
    let (open, close) = ("<\(name)>", "</\(name)>")
    while let start = rest.firstRange(of: open) {
      rest = rest[start.upperBound...]
      guard let end = rest.firstRange(of: close) else { break }
      result.append(S3Document(text: rest[..<end.lowerBound]))
      rest = rest[end.upperBound...]
    }
    return result
  }

  /// The text of the first element of a name.
  func first(_ name: String) -> String? {
    elements(name).first.map { Self.decoded($0.text) }
  }

  /// A text for an element.
  static func encoded(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }

  private static func decoded(_ text: Substring) -> String {
    var result = ""
    var rest = text
    while let start = rest.firstIndex(of: "&") {
      result += rest[..<start]
      rest = rest[start...]
      guard let end = rest.firstIndex(of: ";"), let character = character(rest[rest.index(after: start)..<end]) else {
        result.append("&")
        rest = rest.dropFirst()
        continue
      }
      result.append(character)
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }

  private static func character(_ name: Substring) -> Character? {
    switch name {
    case "amp": return "&"
    case "lt": return "<"
    case "gt": return ">"
    case "quot": return "\""
    case "apos": return "'"
    default:
      guard name.first == "#" else { return nil }
      let digits = name.dropFirst()
      let number = digits.first == "x" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
      return number.flatMap(Unicode.Scalar.init).map(Character.init)
    }
  }
}
