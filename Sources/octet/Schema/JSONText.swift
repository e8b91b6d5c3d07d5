import Base

/// JSON that is put together piece by piece, to be read by the codec.
indirect enum JSONText {
  case object([(String, JSONText)])
  case array([JSONText])
  case string(String)
  /// JSON as it is.
  case raw(String)

  var text: String {
    switch self {
    case .object(let members):
      "{" + members.map { Self.quote($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
    case .array(let items): "[" + items.map(\.text).joined(separator: ",") + "]"
    case .string(let text): Self.quote(text)
    case .raw(let text): text
    }
  }

  private static func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\0"..."\u{1f}":
        result += "\\u" + String(scalar.value, radix: 16, width: 4)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
