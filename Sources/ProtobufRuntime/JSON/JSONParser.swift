/// Reads one message in JSON into the wire form.
struct JSONParser {
  let pool: DescriptorPool
  let options: JSONReadOptions
  let depthLimit: Int
  private let valueLimit: Int
  var lexer: JSONLexer
  var path = JSONPath()
  /// Octets that were read ahead of their turn, in search of `@type`.
  private var lookedAhead = 0
  /// Octets of wire form that were handed from level to level.
  private var copied = 0

  init(_ json: [UInt8], pool: DescriptorPool, options: JSONReadOptions, depthLimit: Int, valueLimit: Int) {
    self.pool = pool
    self.options = options
    self.depthLimit = depthLimit
    self.valueLimit = valueLimit
    lexer = JSONLexer(json, valueLimit: valueLimit)
  }

  /// The wire form of the message that the next value stands for.
  mutating func message(_ message: MessageDescriptor, depth: Int) throws -> [UInt8] {
    guard depth <= depthLimit else { throw JSONFailure(.tooDeep) }
    let wire: [UInt8]
    if let known = WellKnownType(message.fullName) {
      wire = try wellKnown(known, depth: depth)
    } else {
      var writer = WireWriter()
      try fields(of: message, into: &writer, depth: depth, isAny: false)
      wire = writer.bytes
    }
    try countCopy(wire.count)
    return wire
  }

  /// Counts octets that the level above copies.
  mutating func countCopy(_ count: Int) throws(JSONFailure) {
    copied += count
    let grown = DecodeLimits.jsonCopies * DecodeLimits.jsonValue * (valueLimit - lexer.valuesLeft)
    guard copied <= bound(DecodeLimits.jsonCopies) + grown else { throw JSONFailure(.tooCostly) }
  }

  /// Counts octets that were read ahead of their turn.
  mutating func countLookingAhead(_ count: Int) throws(JSONFailure) {
    lookedAhead += count
    guard lookedAhead <= bound(DecodeLimits.jsonLookingAhead) else { throw JSONFailure(.tooCostly) }
  }

  private func bound(_ times: Int) -> Int { times * lexer.count + DecodeLimits.jsonShort }

  /// Reads an object. `@type`, which belongs to the Any around, is passed over if `isAny`.
  mutating func fields(
    of message: MessageDescriptor, into writer: inout WireWriter, depth: Int, isAny: Bool
  ) throws {
    try begin(.beginObject, for: message.fullName)
    var isFirst = true
    var seen: Set<Int32> = []
    var hasType = false
    var filledOneofs: Set<Int> = []
    while let key = try lexer.nextKey(isFirst: &isFirst) {
      path.enter(key)
      if isAny, key == "@type" {
        guard !hasType else { throw JSONFailure.value("@type is given twice") }
        hasType = true
        try lexer.skipValue(depth: depth, limit: depthLimit)
      } else if let field = field(of: message, key) {
        guard seen.insert(field.number).inserted else { throw JSONFailure.value("the field is given twice") }
        if lexer.peeksNull(), !takesNull(field) || field.isRepeated {
          // null is as good as nothing, also beside another member of the same oneof.
          _ = try lexer.next()
        } else {
          if let oneof = field.realOneofIndex, field.extendee == nil, !filledOneofs.insert(oneof).inserted {
            throw JSONFailure.value("another member of the oneof \(message.oneofs[oneof].name) is given as well")
          }
          try member(field, of: message, into: &writer, depth: depth)
        }
      } else if options.ignoresUnknownFields {
        try lexer.skipValue(depth: depth, limit: depthLimit)
      } else {
        throw JSONFailure(.unknownField(key))
      }
      path.leave()
    }
  }

  private func field(of message: MessageDescriptor, _ key: String) -> FieldDescriptor? {
    if let field = message.field(jsonKey: key) { return field }
    guard key.first == "[", key.last == "]" else { return nil }
    return pool.extensions(of: message.fullName).first { $0.fullName == key.dropFirst().dropLast() }
  }

  /// For these, null is a value.
  private func takesNull(_ field: FieldDescriptor) -> Bool {
    field.typeName == WellKnownType.valueName || field.typeName == WellKnownType.nullValueName
  }

  /// Reads the opening bracket of a value.
  mutating func begin(_ bracket: JSONToken, for what: String) throws(JSONFailure) {
    let token = try lexer.next()
    guard token == bracket else { throw .value("\(what) takes \(bracket.name), not \(token.name)") }
  }

  // MARK: Fields

  private mutating func member(
    _ field: FieldDescriptor, of message: MessageDescriptor, into writer: inout WireWriter, depth: Int
  ) throws {
    if let entry = message.mapEntry(of: field) {
      try map(field, entry, into: &writer, depth: depth)
    } else if field.isRepeated {
      try list(field, into: &writer, depth: depth)
    } else if let value = try value(field, depth: depth), field.hasPresence || !value.isZero {
      write(value, of: field, into: &writer)
    }
  }

  private func write(_ value: WireValue, of field: FieldDescriptor, into writer: inout WireWriter) {
    writer.tag(field.number, field.type.wireType)
    if field.type == .group, case .bytes(let content) = value {
      writer.raw(content.remaining)
      writer.tag(field.number, .endGroup)
    } else {
      value.write(to: &writer)
    }
  }

  private mutating func list(_ field: FieldDescriptor, into writer: inout WireWriter, depth: Int) throws {
    try begin(.beginArray, for: "a repeated field")
    var packed = WireWriter()
    var isFirst = true
    var index = 0
    while try lexer.nextItem(isFirst: &isFirst) {
      path.enter(index)
      if lexer.peeksNull(), !takesNull(field) { throw JSONFailure.value("null cannot be an item") }
      if let value = try value(field, depth: depth) {
        if field.isPacked { value.write(to: &packed) } else { write(value, of: field, into: &writer) }
      }
      path.leave()
      index += 1
    }
    if field.isPacked, !packed.bytes.isEmpty {
      writer.tag(field.number, .lengthDelimited)
      writer.lengthDelimited(packed.bytes)
    }
  }

  private mutating func map(
    _ field: FieldDescriptor, _ entry: MessageDescriptor, into writer: inout WireWriter, depth: Int
  ) throws {
    guard let keyField = entry.field(numbered: 1), let valueField = entry.field(numbered: 2) else {
      preconditionFailure("a map entry has a key and a value, the descriptor has checked that")
    }
    try begin(.beginObject, for: "a map")
    var isFirst = true
    var seen: Set<[UInt8]> = []
    while let key = try lexer.nextKey(isFirst: &isFirst) {
      path.enter(key)
      var pair = WireWriter()
      write(try mapKey(keyField, key), of: keyField, into: &pair)
      guard seen.insert(pair.bytes).inserted else { throw JSONFailure.value("the key is given twice") }
      if lexer.peeksNull(), !takesNull(valueField) {
        throw JSONFailure.value("null cannot be the value of a map")
      }
      if let value = try value(valueField, depth: depth) {
        write(value, of: valueField, into: &pair)
        writer.tag(field.number, .lengthDelimited)
        writer.lengthDelimited(pair.bytes)
      }
      path.leave()
    }
  }

  private func mapKey(_ field: FieldDescriptor, _ key: String) throws(JSONFailure) -> WireValue {
    switch field.type {
    case .string: .bytes(WireReader(Array(key.utf8)))
    case .bool where key == "true": .varint(1)
    case .bool where key == "false": .varint(0)
    case .bool: throw .value("the key of this map is true or false")
    default: try integer(field.type, text: key)
    }
  }

  /// One value of a field's type; nil for an enum name that is unknown and passed over.
  private mutating func value(_ field: FieldDescriptor, depth: Int) throws -> WireValue? {
    switch field.type {
    case .message, .group:
      guard let type = pool.messageType(of: field) else { throw JSONFailure(.unknownType(field.typeName ?? "")) }
      return .bytes(WireReader(try message(type, depth: depth + 1)))
    case .enum:
      guard let type = pool.enumType(of: field) else { throw JSONFailure(.unknownType(field.typeName ?? "")) }
      return try enumValue(type).map { .varint(UInt64(bitPattern: Int64($0))) }
    default:
      return try scalar(field.type)
    }
  }

  private mutating func enumValue(_ type: EnumDescriptor) throws(JSONFailure) -> Int32? {
    switch try lexer.next() {
    case .string(let name):
      if let value = type.value(named: name) { return value.number }
      if options.ignoresUnknownFields { return nil }
      throw .value("\(type.fullName) has no value \"\(name)\"")
    case .number(let text):
      guard let number = JSONNumber.integer(text).flatMap({ Int32(exactly: $0) }) else {
        throw .value("an enum takes a name or an integer of 32 bits")
      }
      if !type.isOpen, type.value(numbered: number) == nil {
        if options.ignoresUnknownFields { return nil }
        throw .value("\(type.fullName) has no value \(number)")
      }
      return number
    case .null where type.fullName == WellKnownType.nullValueName: return 0
    case let token: throw .value("an enum takes a name or a number, not \(token.name)")
    }
  }
}
