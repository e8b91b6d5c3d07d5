/// The words of JSON.
enum JSONToken: Equatable {
  case beginObject, endObject, beginArray, endArray, colon, comma
  case string(String)
  /// A number, as it was written; its grammar is checked.
  case number(String)
  case `true`, `false`, null
  /// The end of the text.
  case end

  /// For errors: what was found where something else was expected.
  var name: String {
    switch self {
    case .beginObject: "an object"
    case .beginArray: "an array"
    case .endObject: "}"
    case .endArray: "]"
    case .colon: ":"
    case .comma: ","
    case .string: "a string"
    case .number: "a number"
    case .true: "true"
    case .false: "false"
    case .null: "null"
    case .end: "the end"
    }
  }
}

/// Splits JSON (RFC 8259, UTF-8) into tokens. A value type: a copy is a place to come back to.
struct JSONLexer {
  private let bytes: [UInt8]
  /// Where the next token is looked for.
  private(set) var position = 0
  /// Where the last token began.
  private(set) var tokenStart = 0
  /// How many values may be read still, and keys, which take as long.
  var valuesLeft: Int

  init(_ bytes: [UInt8], valueLimit: Int = .max) {
    self.bytes = bytes
    valuesLeft = valueLimit
  }

  /// Length of the whole text.
  var count: Int { bytes.count }

  mutating func next() throws(JSONFailure) -> JSONToken {
    let first = peek()
    tokenStart = position
    guard let byte = first else { return .end }
    switch byte {
    case UInt8(ascii: "}"): return single(.endObject)
    case UInt8(ascii: "]"): return single(.endArray)
    case UInt8(ascii: ":"): return single(.colon)
    case UInt8(ascii: ","): return single(.comma)
    default: break
    }
    try countValue()
    switch byte {
    case UInt8(ascii: "{"): return single(.beginObject)
    case UInt8(ascii: "["): return single(.beginArray)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .true)
    case UInt8(ascii: "f"): return try word("false", .false)
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    default: throw .syntax("unexpected character")
    }
  }

  /// Counts a value; what is read out of a text counts as if it stood in a list.
  mutating func countValue() throws(JSONFailure) {
    guard valuesLeft > 0 else { throw JSONFailure(.tooMany) }
    valuesLeft -= 1
  }

  /// The octet with which the next token begins, which says what it can be; nil at the end.
  mutating func peek() -> UInt8? {
    while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    return current
  }

  /// Whether null is next.
  mutating func peeksNull() -> Bool {
    peek() == UInt8(ascii: "n") && bytes[position...].starts(with: "null".utf8)
  }

  mutating func expect(_ token: JSONToken) throws(JSONFailure) {
    let found = try next()
    guard found == token else { throw .syntax("expected \(token.name), found \(found.name)") }
  }

  /// The next key of an object whose `{` was read, with its colon; nil after the `}`.
  mutating func nextKey(isFirst: inout Bool) throws(JSONFailure) -> String? {
    var token = try next()
    if token == .endObject { return nil }
    if !isFirst {
      guard token == .comma else { throw .syntax("expected , or }, found \(token.name)") }
      token = try next()
    }
    isFirst = false
    guard case .string(let key) = token else { throw .syntax("expected a key, found \(token.name)") }
    try expect(.colon)
    return key
  }

  /// Whether an array whose `[` was read goes on; reads the comma, or the `]` at its end.
  mutating func nextItem(isFirst: inout Bool) throws(JSONFailure) -> Bool {
    if peek() == UInt8(ascii: "]") {
      _ = try next()
      return false
    }
    if !isFirst {
      let token = try next()
      guard token == .comma else { throw .syntax("expected , or ], found \(token.name)") }
      if peek() == UInt8(ascii: "]") { throw .syntax("expected a value, found ]") }
    }
    isFirst = false
    return true
  }

  /// Passes over one value.
  mutating func skipValue(depth: Int, limit: Int) throws(JSONFailure) {
    guard depth <= limit else { throw JSONFailure(.tooDeep) }
    let token = try next()
    var isFirst = true
    switch token {
    case .beginObject:
      while try nextKey(isFirst: &isFirst) != nil { try skipValue(depth: depth + 1, limit: limit) }
    case .beginArray:
      while try nextItem(isFirst: &isFirst) { try skipValue(depth: depth + 1, limit: limit) }
    case .string, .number, .true, .false, .null: break
    default: throw .syntax("expected a value, found \(token.name)")
    }
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func single(_ token: JSONToken) -> JSONToken {
    position += 1
    return token
  }

  private mutating func word(_ word: StaticString, _ token: JSONToken) throws(JSONFailure) -> JSONToken {
    let end = position + word.utf8CodeUnitCount
    let isWord = word.withUTF8Buffer { expected in
      end <= bytes.count && bytes[position..<end].elementsEqual(expected)
    }
    guard isWord else { throw .syntax("unexpected character") }
    position = end
    return token
  }

  private mutating func number() throws(JSONFailure) -> String {
    let start = position
    if current == UInt8(ascii: "-") { position += 1 }
    if current == UInt8(ascii: "0") {
      position += 1
    } else {
      try digits()
    }
    if current == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    if let byte = current, isDigit(byte) { throw .syntax("a number with a leading zero") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func digits() throws(JSONFailure) {
    guard let byte = current, isDigit(byte) else { throw .syntax("a number lacks a digit") }
    while let byte = current, isDigit(byte) {
      position += 1
      guard position - tokenStart <= DecodeLimits.jsonNumber else { throw .syntax("a number is too long") }
    }
  }

  private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

// MARK: Strings

extension JSONLexer {
  private mutating func string() throws(JSONFailure) -> String {
    position += 1
    // What comes before the piece that is being read, if anything is escaped.
    var content: [UInt8] = []
    var start = position
    while true {
      position = endOfPlain(from: position)
      let piece = bytes[start..<position]
      switch current {
      case UInt8(ascii: "\""):
        position += 1
        let text = String(validating: content.isEmpty ? piece : content[...] + piece, as: UTF8.self)
        guard let text else { throw .syntax("a string is not UTF-8") }
        return text
      case UInt8(ascii: "\\"):
        position += 1
        if !piece.isEmpty { content += piece }
        let scalar = try escape()
        if scalar.isASCII { content.append(UInt8(scalar.value)) } else { content += scalar.utf8 }
        start = position
      case nil: throw .syntax("a string does not end")
      default: throw .syntax("a control character in a string must be escaped")
      }
    }
  }

  /// Where the octets of a string that stand for themselves end. Megabytes may pass here.
  private func endOfPlain(from start: Int) -> Int {
    bytes.withUnsafeBufferPointer { octets in
      var index = start
      while index < octets.count {
        let octet = octets[index]
        if octet < 0x20 || octet == UInt8(ascii: "\"") || octet == UInt8(ascii: "\\") { break }
        index += 1
      }
      return index
    }
  }

  private mutating func escape() throws(JSONFailure) -> Unicode.Scalar {
    guard let byte = current else { throw .syntax("a string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var unit = try codeUnit()
      if (0xd800..<0xdc00).contains(unit) {
        guard current == UInt8(ascii: "\\"), position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "u")
        else { throw .syntax("a surrogate stands alone") }
        position += 2
        let low = try codeUnit()
        guard (0xdc00..<0xe000).contains(low) else { throw .syntax("a surrogate stands alone") }
        unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw .syntax("a surrogate stands alone") }
      return scalar
    default: throw .syntax("unknown escape in a string")
    }
  }

  private mutating func codeUnit() throws(JSONFailure) -> UInt32 {
    guard position + 4 <= bytes.count else { throw .syntax("\\u needs four hexadecimal digits") }
    var unit: UInt32 = 0
    for _ in 0..<4 {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): unit = unit << 4 | UInt32(byte - UInt8(ascii: "0"))
      // A letter of either case.
      case _ where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20):
        unit = unit << 4 | UInt32((byte | 0x20) - UInt8(ascii: "a") + 10)
      default: throw .syntax("\\u needs four hexadecimal digits")
      }
      position += 1
    }
    return unit
  }
}
