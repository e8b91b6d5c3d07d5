extension JSONPrinter {
  mutating func wellKnown(_ type: WellKnownType, _ reader: WireReader, depth: Int) throws {
    switch type {
    case .timestamp:
      guard let text = try SecondsAndNanos(reader).timestampText else {
        throw JSONFailure.value("a Timestamp outside of the years 1 to 9999")
      }
      output.string(text)
    case .duration:
      guard let text = try SecondsAndNanos(reader).durationText else {
        throw JSONFailure.value("a Duration beyond 10,000 years or with mixed signs")
      }
      output.string(text)
    case .fieldMask: try fieldMask(reader)
    case .struct: try structure(reader, depth: depth)
    case .value: try structValue(reader, depth: depth)
    case .listValue: try listValue(reader, depth: depth)
    case .wrapper(let type): try wrapper(type, reader)
    case .any: try any(reader, depth: depth)
    }
  }

  private mutating func fieldMask(_ reader: WireReader) throws {
    var reader = reader
    var paths: [String] = []
    while let tag = try reader.tag() {
      guard tag == WireTag(number: 1, type: .lengthDelimited) else {
        try reader.skip(tag)
        continue
      }
      guard let path = FieldMaskText.camel(try reader.lengthDelimited().text(field: "paths")) else {
        throw JSONFailure.value("a path of the FieldMask has no JSON form")
      }
      paths.append(path)
    }
    output.string(paths.joined(separator: ","))
  }

  private mutating func wrapper(_ type: FieldType, _ reader: WireReader) throws {
    var reader = reader
    var value = WireValue.zero(of: type)
    while let tag = try reader.tag() {
      if tag == WireTag(number: 1, type: type.wireType) {
        value = try WireValue(tag.type, from: &reader)
      } else {
        try reader.skip(tag)
      }
    }
    try scalar(type, value, name: "value")
  }

  // MARK: Struct, Value, ListValue

  private mutating func structure(_ reader: WireReader, depth: Int) throws {
    var reader = reader
    var entries: [(key: String, value: WireReader)] = []
    var indexes: [String: Int] = [:]
    while let tag = try reader.tag() {
      guard tag == WireTag(number: 1, type: .lengthDelimited) else {
        try reader.skip(tag)
        continue
      }
      let (key, value) = try structEntry(try reader.lengthDelimited())
      if let index = indexes[key] {
        entries[index].value = value
      } else {
        indexes[key] = entries.count
        entries.append((key, value))
      }
    }
    output.beginObject()
    for (key, value) in entries {
      path.enter(key)
      output.key(key)
      try structValue(value, depth: depth + 1)
      path.leave()
    }
    output.endObject()
  }

  private func structEntry(_ reader: WireReader) throws -> (key: String, value: WireReader) {
    var reader = reader
    var key = ""
    var value = WireReader([])
    while let tag = try reader.tag() {
      switch (tag.number, tag.type) {
      case (1, .lengthDelimited): key = try reader.lengthDelimited().text(field: "key")
      case (2, .lengthDelimited): value = try reader.lengthDelimited()
      default: try reader.skip(tag)
      }
    }
    return (key, value)
  }

  private mutating func structValue(_ reader: WireReader, depth: Int) throws {
    guard depth <= depthLimit else { throw JSONFailure(.tooDeep) }
    var reader = reader
    var kind: (number: Int32, value: WireValue)?
    while let tag = try reader.tag() {
      switch (tag.number, tag.type) {
      case (1, .varint), (2, .fixed64), (3, .lengthDelimited), (4, .varint), (5, .lengthDelimited),
        (6, .lengthDelimited):
        kind = (tag.number, try WireValue(tag.type, from: &reader))
      default: try reader.skip(tag)
      }
    }
    switch kind {
    case (2, .fixed64(let bits))?:
      guard Double(bitPattern: bits).isFinite else { throw JSONFailure.value("a Value that is no finite number") }
      try scalar(.double, .fixed64(bits), name: "number_value")
    case (3, let text)?: try scalar(.string, text, name: "string_value")
    case (4, let flag)?: try scalar(.bool, flag, name: "bool_value")
    case (5, .bytes(let reader))?: try structure(reader, depth: depth)
    case (6, .bytes(let reader))?: try listValue(reader, depth: depth)
    // A Value without a kind is not valid; null says as much as can be said.
    default: output.literal("null")
    }
  }

  private mutating func listValue(_ reader: WireReader, depth: Int) throws {
    var reader = reader
    var index = 0
    output.beginArray()
    while let tag = try reader.tag() {
      guard tag == WireTag(number: 1, type: .lengthDelimited) else {
        try reader.skip(tag)
        continue
      }
      path.enter(index)
      try structValue(try reader.lengthDelimited(), depth: depth + 1)
      path.leave()
      index += 1
    }
    output.endArray()
  }

  // MARK: Any

  private mutating func any(_ reader: WireReader, depth: Int) throws {
    var reader = reader
    var url = ""
    var content = WireReader([])
    while let tag = try reader.tag() {
      switch (tag.number, tag.type) {
      case (1, .lengthDelimited): url = try reader.lengthDelimited().text(field: "type_url")
      case (2, .lengthDelimited): content = try reader.lengthDelimited()
      default: try reader.skip(tag)
      }
    }
    output.beginObject()
    if url.isEmpty {
      guard content.isAtEnd else { throw JSONFailure.value("an Any has a value but no type") }
    } else {
      let name = AnyTypeURL.fullName(url)
      guard let type = pool.message(name) else { throw JSONFailure(.unknownType(name)) }
      output.key("@type")
      output.string(url)
      if WellKnownType(name) != nil {
        output.key("value")
        try message(type, content, depth: depth + 1)
      } else {
        guard depth < depthLimit else { throw JSONFailure(.tooDeep) }
        try fields(of: type, content, depth: depth + 1)
      }
    }
    output.endObject()
  }
}

/// The `type_url` of a google.protobuf.Any.
enum AnyTypeURL {
  /// The full name of the message: what follows the last slash.
  static func fullName(_ url: String) -> String {
    url.lastIndex(of: "/").map { String(url[url.index(after: $0)...]) } ?? url
  }
}

extension SecondsAndNanos {
  /// Reads the wire form of a Timestamp or Duration: they have the same fields.
  init(_ message: WireReader) throws(DecodeError) {
    var reader = message
    self.init(seconds: 0, nanos: 0)
    while let tag = try reader.tag() {
      switch (tag.number, tag.type) {
      case (1, .varint): seconds = Int64(bitPattern: try reader.varint())
      case (2, .varint): nanos = Int32(truncatingIfNeeded: try reader.varint())
      default: try reader.skip(tag)
      }
    }
  }

  /// The wire form.
  var wire: [UInt8] {
    var writer = WireWriter()
    if seconds != 0 {
      writer.tag(1, .varint)
      writer.varint(UInt64(bitPattern: seconds))
    }
    if nanos != 0 {
      writer.tag(2, .varint)
      writer.varint(UInt64(bitPattern: Int64(nanos)))
    }
    return writer.bytes
  }
}
