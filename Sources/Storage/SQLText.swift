/// What engines need to know about a SQL text without parsing it: where its statements end and its parameters are.
///
/// String literals, quoted names and comments are passed over. Bodies with `;` inside (triggers) are not understood.
public struct SQLText {
  private enum Token {
    case parameter(Int)
    case semicolon
    case word(Range<Int>)
    case comment
    case other
  }

  private let bytes: [UInt8]
  private var position = 0

  private init(_ sql: String) {
    bytes = Array(sql.utf8)
  }

  /// The text with each `$n` written as `?n`, which SQLite numbers by n and not by first appearance.
  public static func withNumberedParameters(_ sql: String) -> String {
    var text = SQLText(sql)
    var result: [UInt8] = []
    result.reserveCapacity(text.bytes.count)
    while let (token, range) = text.next() {
      if case .parameter = token {
        result.append(UInt8(ascii: "?"))
        result += text.bytes[range.dropFirst()]
      } else {
        result += text.bytes[range]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The highest parameter number in the text, 0 if there is none.
  public static func parameterCount(_ sql: String) -> Int {
    var text = SQLText(sql)
    var highest = 0
    while let (token, _) = text.next() {
      if case .parameter(let number) = token { highest = max(highest, number) }
    }
    return highest
  }

  /// The statements of a script, without comments, surrounding blanks and the semicolons between them.
  public static func statements(_ script: String) -> [String] {
    var text = SQLText(script)
    var statements: [String] = []
    var current: [UInt8] = []
    func finish() {
      let statement = String(decoding: trimmed(current), as: UTF8.self)
      if !statement.isEmpty { statements.append(statement) }
      current = []
    }
    while let (token, range) = text.next() {
      switch token {
      case .semicolon: finish()
      case .comment: current.append(UInt8(ascii: " "))
      default: current += text.bytes[range]
      }
    }
    finish()
    return statements
  }

  /// The text with each whole word outside of literals replaced by what `replacement` gives for its upper-case form.
  public static func replacingWords(_ sql: String, _ replacement: (String) -> String?) -> String {
    var text = SQLText(sql)
    var result: [UInt8] = []
    while let (token, range) = text.next() {
      if case .word = token,
        let new = replacement(String(decoding: text.bytes[range], as: UTF8.self).uppercased())
      {
        result += new.utf8
      } else {
        result += text.bytes[range]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The text with each of the phrases (words in a row, with nothing but blanks between them, outside of literals)
  /// replaced. Case counts, and where several fit, the first of the list.
  public static func replacingPhrases(
    _ sql: String, _ phrases: [(words: [String], replacement: String)]
  ) -> String {
    var text = SQLText(sql)
    var tokens: [(token: Token, range: Range<Int>)] = []
    while let next = text.next() { tokens.append(next) }
    func word(_ index: Int) -> String? {
      guard index < tokens.count, case .word = tokens[index].token else { return nil }
      return String(decoding: text.bytes[tokens[index].range], as: UTF8.self)
    }
    func isBlank(_ index: Int) -> Bool {
      index < tokens.count && text.bytes[tokens[index].range].allSatisfy { $0 <= UInt8(ascii: " ") }
    }
    /// Where the phrase that begins at `start` ends.
    func end(of words: [String], from start: Int) -> Int? {
      var index = start
      for (number, expected) in words.enumerated() {
        if number > 0 { while isBlank(index) { index += 1 } }
        guard word(index) == expected else { return nil }
        index += 1
      }
      return index
    }
    var result: [UInt8] = []
    var index = 0
    while index < tokens.count {
      if let (replacement, next) = phrases.lazy.compactMap({ phrase in
        end(of: phrase.words, from: index).map { (phrase.replacement, $0) }
      }).first {
        result += replacement.utf8
        index = next
      } else {
        result += text.bytes[tokens[index].range]
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private mutating func next() -> (Token, Range<Int>)? {
    guard position < bytes.count else { return nil }
    let start = position
    let token = scan()
    return (token, start..<position)
  }

  private mutating func scan() -> Token {
    let start = position
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "'"), UInt8(ascii: "\""):
      // A doubled quote inside ends one literal and begins the next, which comes to the same.
      skip { $0 != byte }
      position = min(position + 1, bytes.count)
      return .other
    case UInt8(ascii: "-") where peek == UInt8(ascii: "-"):
      skip { $0 != UInt8(ascii: "\n") }
      return .comment
    case UInt8(ascii: "/") where peek == UInt8(ascii: "*"):
      position += 1
      while position < bytes.count, !(bytes[position] == UInt8(ascii: "*") && peekAfterNext == UInt8(ascii: "/")) {
        position += 1
      }
      position = min(position + 2, bytes.count)
      return .comment
    case UInt8(ascii: ";"):
      return .semicolon
    case UInt8(ascii: "$") where peek.map(Self.isDigit) == true:
      skip(while: Self.isDigit)
      let digits = String(decoding: bytes[(start + 1)..<position], as: UTF8.self)
      return .parameter(Int(digits) ?? Int.max)
    case _ where Self.isWordStart(byte):
      skip { Self.isWordStart($0) || Self.isDigit($0) || $0 == UInt8(ascii: "$") }
      return .word(start..<position)
    case _ where Self.isDigit(byte):
      skip { Self.isWordStart($0) || Self.isDigit($0) }
      return .other
    default:
      return .other
    }
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }
  private var peekAfterNext: UInt8? { position + 1 < bytes.count ? bytes[position + 1] : nil }

  private mutating func skip(while condition: (UInt8) -> Bool) {
    while position < bytes.count, condition(bytes[position]) { position += 1 }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func isWordStart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), 0x80...: true
    default: false
    }
  }

  private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
    func isBlank(_ byte: UInt8) -> Bool { byte <= UInt8(ascii: " ") }
    guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
    else { return [] }
    return bytes[first...last]
  }
}
