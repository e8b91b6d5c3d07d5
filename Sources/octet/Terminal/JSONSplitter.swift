/// Cuts a stream of JSON objects into single ones, however they are spread over lines and pieces.
struct JSONSplitter {
  private var text: [UInt8] = []
  private var depth = 0
  private var isInString = false
  private var isEscaped = false

  /// Takes a piece and returns the objects that it completes.
  mutating func feed(_ piece: [UInt8]) -> [[UInt8]] {
    var complete: [[UInt8]] = []
    for byte in piece {
      if text.isEmpty, Self.isBlank(byte) { continue }
      text.append(byte)
      if isInString {
        track(stringByte: byte)
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      // Something other than an object ends with its line, so that its error shows at once.
      case UInt8(ascii: "\n") where depth <= 0: break
      default: continue
      }
      if depth <= 0, !isInString {
        complete.append(text)
        text = []
        depth = 0
      }
    }
    return complete
  }

  /// What is left at the end of the stream, if it is anything.
  mutating func finish() -> [UInt8]? {
    defer { self = JSONSplitter() }
    return text.isEmpty ? nil : text
  }

  private mutating func track(stringByte byte: UInt8) {
    if isEscaped {
      isEscaped = false
    } else if byte == UInt8(ascii: "\\") {
      isEscaped = true
    } else if byte == UInt8(ascii: "\"") {
      isInString = false
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\t")
  }
}
