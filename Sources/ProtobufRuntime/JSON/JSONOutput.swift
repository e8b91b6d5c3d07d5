internal import Base

/// Builds JSON text. The caller calls in the order of the grammar; commas, line breaks and escapes are put here.
package struct JSONOutput {
  /// The text so far, in UTF-8.
  package private(set) var bytes: [UInt8] = []
  private let isPretty: Bool
  private var depth = 0
  /// Nothing was written yet in the innermost object or array.
  private var isEmpty = true
  private var followsKey = false

  package init(isPretty: Bool = false) {
    self.isPretty = isPretty
  }

  package mutating func beginObject() { begin(UInt8(ascii: "{")) }
  package mutating func endObject() { end(UInt8(ascii: "}")) }
  package mutating func beginArray() { begin(UInt8(ascii: "[")) }
  package mutating func endArray() { end(UInt8(ascii: "]")) }

  package mutating func key(_ key: String) {
    separate()
    quote(key)
    bytes.append(UInt8(ascii: ":"))
    if isPretty { bytes.append(UInt8(ascii: " ")) }
    followsKey = true
  }

  package mutating func string(_ text: String) {
    separate()
    quote(text)
  }

  /// A number, `true`, `false` or `null`.
  package mutating func literal(_ text: String) {
    separate()
    bytes.append(contentsOf: text.utf8)
  }

  private mutating func begin(_ bracket: UInt8) {
    separate()
    bytes.append(bracket)
    depth += 1
    isEmpty = true
  }

  private mutating func end(_ bracket: UInt8) {
    depth -= 1
    if !isEmpty { breakLine() }
    bytes.append(bracket)
    isEmpty = false
  }

  private mutating func separate() {
    if followsKey {
      followsKey = false
    } else {
      if !isEmpty { bytes.append(UInt8(ascii: ",")) }
      if depth > 0 { breakLine() }
    }
    isEmpty = false
  }

  private mutating func breakLine() {
    guard isPretty else { return }
    bytes.append(UInt8(ascii: "\n"))
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
  }

  private mutating func quote(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": bytes.append(contentsOf: "\\\"".utf8)
      case "\\": bytes.append(contentsOf: "\\\\".utf8)
      case "\n": bytes.append(contentsOf: "\\n".utf8)
      case "\r": bytes.append(contentsOf: "\\r".utf8)
      case "\t": bytes.append(contentsOf: "\\t".utf8)
      // C1 controls as well: a terminal would obey them.
      case "\0"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
        bytes.append(contentsOf: ("\\u" + String(scalar.value, radix: 16, width: 4)).utf8)
      default: bytes.append(contentsOf: UTF8.encode(scalar)!)  // Every Unicode.Scalar has a UTF-8 form.
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
