extension JSONParser {
  mutating func wellKnown(_ type: WellKnownType, depth: Int) throws -> [UInt8] {
    switch type {
    case .timestamp:
      guard let time = SecondsAndNanos(timestamp: try text(for: "a Timestamp")) else {
        throw JSONFailure.value("a Timestamp looks like 2026-01-31T12:30:00.5Z, in the years 1 to 9999")
      }
      return time.wire
    case .duration:
      guard let duration = SecondsAndNanos(duration: try text(for: "a Duration")) else {
        throw JSONFailure.value("a Duration looks like 3.5s, up to 10,000 years")
      }
      return duration.wire
    case .fieldMask: return try fieldMask()
    case .struct: return try structure(depth: depth)
    case .value: return try structValue(depth: depth)
    case .listValue: return try listValue(depth: depth)
    case .wrapper(let type):
      let value = try scalar(type)
      var writer = WireWriter()
      if !value.isZero {
        writer.tag(1, type.wireType)
        value.write(to: &writer)
      }
      return writer.bytes
    case .any: return try any(depth: depth)
    }
  }

  private mutating func text(for what: String) throws(JSONFailure) -> String {
    let token = try lexer.next()
    guard case .string(let text) = token else { throw .value("\(what) is a string, not \(token.name)") }
    return text
  }

  private mutating func fieldMask() throws(JSONFailure) -> [UInt8] {
    let text = try text(for: "a FieldMask")
    var writer = WireWriter()
    // What is beyond the limit stays in one piece, whose count throws.
    for path in text.utf8.split(separator: UInt8(ascii: ","), maxSplits: lexer.valuesLeft) {
      try lexer.countValue()
      guard let snake = FieldMaskText.snake(path) else {
        throw .value("the paths of a FieldMask are in lowerCamel")
      }
      writer.tag(1, .lengthDelimited)
      writer.lengthDelimited(snake)
    }
    return writer.bytes
  }

  // MARK: Struct, Value, ListValue

  private mutating func structure(depth: Int) throws -> [UInt8] {
    try begin(.beginObject, for: "a Struct")
    var writer = WireWriter()
    var isFirst = true
    var seen: Set<String> = []
    while let key = try lexer.nextKey(isFirst: &isFirst) {
      path.enter(key)
      guard seen.insert(key).inserted else { throw JSONFailure.value("the key is given twice") }
      var entry = WireWriter()
      entry.tag(1, .lengthDelimited)
      entry.lengthDelimited(Array(key.utf8))
      entry.tag(2, .lengthDelimited)
      entry.lengthDelimited(try structValue(depth: depth + 1))
      writer.tag(1, .lengthDelimited)
      writer.lengthDelimited(entry.bytes)
      path.leave()
    }
    return writer.bytes
  }

  private mutating func structValue(depth: Int) throws -> [UInt8] {
    guard depth <= depthLimit else { throw JSONFailure(.tooDeep) }
    var writer = WireWriter()
    switch lexer.peek() ?? 0 {
    case UInt8(ascii: "n") where lexer.peeksNull():
      _ = try lexer.next()
      writer.tag(1, .varint)
      writer.varint(0)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let value = try scalar(.double)
      writer.tag(2, .fixed64)
      value.write(to: &writer)
    case UInt8(ascii: "\""):
      let value = try scalar(.string)
      writer.tag(3, .lengthDelimited)
      value.write(to: &writer)
    case UInt8(ascii: "t"), UInt8(ascii: "f"):
      let value = try scalar(.bool)
      writer.tag(4, .varint)
      value.write(to: &writer)
    case UInt8(ascii: "{"):
      writer.tag(5, .lengthDelimited)
      writer.lengthDelimited(try structure(depth: depth))
    case UInt8(ascii: "["):
      writer.tag(6, .lengthDelimited)
      writer.lengthDelimited(try listValue(depth: depth))
    default:
      throw JSONFailure.syntax("expected a value, found \(try lexer.next().name)")
    }
    try countCopy(writer.bytes.count)
    return writer.bytes
  }

  private mutating func listValue(depth: Int) throws -> [UInt8] {
    try begin(.beginArray, for: "a ListValue")
    var writer = WireWriter()
    var isFirst = true
    var index = 0
    while try lexer.nextItem(isFirst: &isFirst) {
      path.enter(index)
      writer.tag(1, .lengthDelimited)
      writer.lengthDelimited(try structValue(depth: depth + 1))
      path.leave()
      index += 1
    }
    return writer.bytes
  }

  // MARK: Any

  private mutating func any(depth: Int) throws -> [UInt8] {
    guard let url = try typeURL(depth: depth) else {
      try begin(.beginObject, for: "an Any")
      try lexer.expect(.endObject)
      return []
    }
    let name = AnyTypeURL.fullName(url)
    guard let type = pool.message(name) else { throw JSONFailure(.unknownType(name)) }
    let content: [UInt8]
    if WellKnownType(name) != nil {
      content = try anyValue(of: type, depth: depth + 1)
    } else {
      guard depth < depthLimit else { throw JSONFailure(.tooDeep) }
      var inner = WireWriter()
      try fields(of: type, into: &inner, depth: depth + 1, isAny: true)
      content = inner.bytes
    }
    var writer = WireWriter()
    writer.tag(1, .lengthDelimited)
    writer.lengthDelimited(Array(url.utf8))
    if !content.isEmpty {
      writer.tag(2, .lengthDelimited)
      writer.lengthDelimited(content)
    }
    return writer.bytes
  }

  /// Looks ahead for `@type`, which may stand anywhere in the object; nil for an empty object. Whoever reads the object
  /// then makes sure that there is no second one.
  private mutating func typeURL(depth: Int) throws -> String? {
    var ahead = self
    try ahead.begin(.beginObject, for: "an Any")
    var url: String?
    var isFirst = true
    while url == nil, let key = try ahead.lexer.nextKey(isFirst: &isFirst) {
      if key == "@type" {
        url = try ahead.text(for: "@type")
      } else {
        try ahead.lexer.skipValue(depth: depth, limit: depthLimit)
      }
    }
    try countLookingAhead(ahead.lexer.position - lexer.position)
    lexer.valuesLeft = ahead.lexer.valuesLeft
    if let url { return url }
    guard isFirst else { throw JSONFailure.value("an Any needs \"@type\"") }
    return nil
  }

  /// An Any around a message with a JSON form of its own: `{"@type": …, "value": …}`.
  private mutating func anyValue(of type: MessageDescriptor, depth: Int) throws -> [UInt8] {
    try begin(.beginObject, for: "an Any")
    var content: [UInt8]?
    var hasType = false
    var isFirst = true
    while let key = try lexer.nextKey(isFirst: &isFirst) {
      path.enter(key)
      switch key {
      case "@type":
        guard !hasType else { throw JSONFailure.value("@type is given twice") }
        hasType = true
        try lexer.skipValue(depth: depth, limit: depthLimit)
      case "value":
        guard content == nil else { throw JSONFailure.value("the field is given twice") }
        content = try message(type, depth: depth)
      default: throw JSONFailure(.unknownField(key))
      }
      path.leave()
    }
    guard let content else { throw JSONFailure.value("an Any of \(type.fullName) needs \"value\"") }
    return content
  }
}
