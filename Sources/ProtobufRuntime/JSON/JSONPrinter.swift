internal import Base

/// Writes one message in the wire form as JSON.
struct JSONPrinter {
  let pool: DescriptorPool
  let options: JSONWriteOptions
  let depthLimit: Int
  var output: JSONOutput
  var path = JSONPath()

  init(pool: DescriptorPool, options: JSONWriteOptions, depthLimit: Int) {
    self.pool = pool
    self.options = options
    self.depthLimit = depthLimit
    output = JSONOutput(isPretty: options.isPretty)
  }

  mutating func message(_ message: MessageDescriptor, _ reader: WireReader, depth: Int) throws {
    guard depth <= depthLimit else { throw JSONFailure(.tooDeep) }
    if let known = WellKnownType(message.fullName) {
      try wellKnown(known, reader, depth: depth)
    } else {
      output.beginObject()
      try fields(of: message, reader, depth: depth)
      output.endObject()
    }
  }

  /// The fields of a message as members of the object that is open.
  mutating func fields(of message: MessageDescriptor, _ reader: WireReader, depth: Int) throws {
    let extensions = pool.extensions(of: message.fullName)
    let values = try FieldValues(message, extensions: extensions, from: reader)
    for field in message.fields + extensions {
      let found = values[field]
      if found.isEmpty, !options.writesZeroValues || field.hasPresence { continue }
      if !field.isRepeated, !field.hasPresence, !options.writesZeroValues, found[0].isZero { continue }
      if field.type == .enum, !found.isEmpty, found.allSatisfy({ isUnknown($0, of: field) }) { continue }
      let key = key(of: field)
      path.enter(key)
      output.key(key)
      if let entry = message.mapEntry(of: field) {
        try map(entry, found, depth: depth)
      } else if field.isRepeated {
        try list(field, found, depth: depth)
      } else {
        try value(field, found.first ?? .zero(of: field.type), depth: depth)
      }
      path.leave()
    }
  }

  private func key(of field: FieldDescriptor) -> String {
    if field.extendee != nil { return "[\(field.fullName)]" }
    return options.usesProtoNames ? field.name : field.jsonName
  }

  /// A value that a closed enum does not have: proto2 keeps it as an unknown field, which JSON leaves out.
  private func isUnknown(_ value: WireValue, of field: FieldDescriptor) -> Bool {
    guard let type = pool.enumType(of: field), !type.isOpen, case .varint(let number) = value else { return false }
    return type.value(numbered: Int32(truncatingIfNeeded: number)) == nil
  }

  private mutating func list(_ field: FieldDescriptor, _ values: [WireValue], depth: Int) throws {
    output.beginArray()
    for (index, item) in values.enumerated() where !isUnknown(item, of: field) {
      path.enter(index)
      try value(field, item, depth: depth)
      path.leave()
    }
    output.endArray()
  }

  private mutating func map(_ entry: MessageDescriptor, _ values: [WireValue], depth: Int) throws {
    guard let keyField = entry.field(numbered: 1), let valueField = entry.field(numbered: 2) else {
      preconditionFailure("a map entry has a key and a value, the descriptor has checked that")
    }
    var entries: [(key: String, value: WireValue)] = []
    var indexes: [String: Int] = [:]
    for case .bytes(let reader) in values {
      let pair = try FieldValues(entry, extensions: [], from: reader)
      let key = try mapKey(keyField, pair[keyField].first ?? .zero(of: keyField.type))
      let value = pair[valueField].first ?? .zero(of: valueField.type)
      if isUnknown(value, of: valueField) { continue }
      // Of entries with one key, the last counts.
      if let index = indexes[key] {
        entries[index].value = value
      } else {
        indexes[key] = entries.count
        entries.append((key, value))
      }
    }
    output.beginObject()
    for (key, item) in entries {
      path.enter(key)
      output.key(key)
      try value(valueField, item, depth: depth)
      path.leave()
    }
    output.endObject()
  }

  private func mapKey(_ field: FieldDescriptor, _ value: WireValue) throws -> String {
    switch (field.type, value) {
    case (.string, .bytes(let reader)): try reader.text(field: field.fullName)
    case (.bool, .varint(let value)): value == 0 ? "false" : "true"
    default: integer(field.type, value)
    }
  }

  /// One value of a field's type.
  private mutating func value(_ field: FieldDescriptor, _ value: WireValue, depth: Int) throws {
    switch (field.type, value) {
    case (.message, .bytes(let reader)), (.group, .bytes(let reader)):
      guard let type = pool.messageType(of: field) else { throw JSONFailure(.unknownType(field.typeName ?? "")) }
      try message(type, reader, depth: depth + 1)
    case (.enum, .varint(let value)):
      enumValue(field, Int32(truncatingIfNeeded: value))
    default:
      try scalar(field.type, value, name: field.fullName)
    }
  }

  private mutating func enumValue(_ field: FieldDescriptor, _ number: Int32) {
    if field.typeName == WellKnownType.nullValueName, number == 0 {
      output.literal("null")
    } else if !options.writesEnumsAsNumbers, let known = pool.enumType(of: field)?.value(numbered: number) {
      output.string(known.name)
    } else {
      output.literal(String(number))
    }
  }

  /// A value of a type other than message and enum. `name` is for errors.
  mutating func scalar(_ type: FieldType, _ value: WireValue, name: String) throws {
    switch (type, value) {
    case (.double, .fixed64(let bits)): number(Double(bitPattern: bits))
    case (.float, .fixed32(let bits)): number(Float(bitPattern: bits))
    case (.bool, .varint(let value)): output.literal(value == 0 ? "false" : "true")
    case (.string, .bytes(let reader)): output.string(try reader.text(field: name))
    case (.bytes, .bytes(let reader)): output.string(Base64.standard.encode(reader.remaining, padded: true))
    case (.int64, _), (.uint64, _), (.fixed64, _), (.sfixed64, _), (.sint64, _): output.string(integer(type, value))
    default: output.literal(integer(type, value))
    }
  }

  private func integer(_ type: FieldType, _ value: WireValue) -> String {
    switch (type, value) {
    case (.int64, .varint(let value)): String(Int64(bitPattern: value))
    case (.uint64, .varint(let value)): String(value)
    case (.int32, .varint(let value)): String(Int32(truncatingIfNeeded: value))
    case (.uint32, .varint(let value)): String(UInt32(truncatingIfNeeded: value))
    case (.sint32, .varint(let value)):
      String(Int32(bitPattern: UInt32(truncatingIfNeeded: value) >> 1) ^ -Int32(truncatingIfNeeded: value & 1))
    case (.sint64, .varint(let value)): String(Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1))
    case (.fixed32, .fixed32(let value)): String(value)
    case (.sfixed32, .fixed32(let value)): String(Int32(bitPattern: value))
    case (.fixed64, .fixed64(let value)): String(value)
    case (.sfixed64, .fixed64(let value)): String(Int64(bitPattern: value))
    default: preconditionFailure("FieldValues lets no other wire type pass")
    }
  }

  /// The shortest text that reads back as the same number, without `.0`.
  private mutating func number<Number: BinaryFloatingPoint & CustomStringConvertible>(_ value: Number) {
    if value.isNaN {
      output.string("NaN")
    } else if value.isInfinite {
      output.string(value < 0 ? "-Infinity" : "Infinity")
    } else {
      let text = value.description
      output.literal(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }
  }
}

extension WireValue {
  /// The value of an absent field.
  static func zero(of type: FieldType) -> WireValue {
    switch type.wireType {
    case .varint: .varint(0)
    case .fixed32: .fixed32(0)
    case .fixed64: .fixed64(0)
    case .lengthDelimited, .startGroup, .endGroup: .bytes(WireReader([]))
    }
  }
}
