/// One value as it lies on the wire.
enum WireValue {
  case varint(UInt64)
  case fixed32(UInt32)
  case fixed64(UInt64)
  case bytes(WireReader)

  /// Reads the value after a tag of `type`; groups are not values of this kind.
  init(_ type: WireType, from reader: inout WireReader) throws(DecodeError) {
    switch type {
    case .varint: self = .varint(try reader.varint())
    case .fixed32: self = .fixed32(try reader.fixed32())
    case .fixed64: self = .fixed64(try reader.fixed64())
    case .lengthDelimited: self = .bytes(try reader.lengthDelimited())
    case .startGroup, .endGroup: throw .malformed
    }
  }

  /// The zero value of its type, which is not written where a field has no presence.
  var isZero: Bool {
    switch self {
    case .varint(let value): value == 0
    case .fixed32(let value): value == 0
    case .fixed64(let value): value == 0
    case .bytes(let reader): reader.isAtEnd
    }
  }

  /// Writes the value without a tag.
  func write(to writer: inout WireWriter) {
    switch self {
    case .varint(let value): writer.varint(value)
    case .fixed32(let value): writer.fixed32(value)
    case .fixed64(let value): writer.fixed64(value)
    case .bytes(let reader): writer.lengthDelimited(reader.remaining)
    }
  }
}

extension FieldType {
  /// How a single value of the type lies on the wire.
  var wireType: WireType {
    switch self {
    case .double, .fixed64, .sfixed64: .fixed64
    case .float, .fixed32, .sfixed32: .fixed32
    case .int64, .uint64, .int32, .bool, .uint32, .enum, .sint32, .sint64: .varint
    case .string, .message, .bytes: .lengthDelimited
    case .group: .startGroup
    }
  }
}

/// The values of one message by field, after protobuf's rules for repeated occurrences: of a scalar the last counts,
/// messages merge, the members of a oneof displace each other, packed and single values mix.
struct FieldValues {
  private var values: [Int32: [WireValue]] = [:]
  /// The member that each oneof has now.
  private var members: [Int: Int32] = [:]

  /// Values of a wire type that the field does not have are unknown fields, and passed over as those are.
  init(_ message: MessageDescriptor, extensions: [FieldDescriptor], from reader: WireReader) throws(DecodeError) {
    var reader = reader
    let extensionsByNumber = Dictionary(extensions.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    while let tag = try reader.tag() {
      guard let field = message.field(numbered: tag.number) ?? extensionsByNumber[tag.number] else {
        try reader.skip(tag)
        continue
      }
      if tag.type == .lengthDelimited, field.isRepeated, field.type.isPackable {
        var packed = try reader.lengthDelimited()
        while !packed.isAtEnd {
          values[tag.number, default: []].append(try WireValue(field.type.wireType, from: &packed))
        }
      } else if tag.type == field.type.wireType {
        let value: WireValue =
          tag.type == .startGroup
          ? .bytes(try reader.group(tag)) : try WireValue(tag.type, from: &reader)
        add(value, to: field)
      } else {
        try reader.skip(tag)
      }
    }
  }

  private mutating func add(_ value: WireValue, to field: FieldDescriptor) {
    if let oneof = field.realOneofIndex, field.extendee == nil {
      let before = members.updateValue(field.number, forKey: oneof)
      if let before, before != field.number { values[before] = nil }
    }
    if field.isRepeated || field.isMessage {
      values[field.number, default: []].append(value)
    } else {
      values[field.number] = [value]
    }
  }

  /// The values of a field: at most one unless it is repeated.
  subscript(_ field: FieldDescriptor) -> [WireValue] {
    let found = values[field.number] ?? []
    guard field.isMessage, !field.isRepeated, found.count > 1 else { return found }
    // The concatenation of encodings is the encoding of the merged message.
    let merged = found.reduce(into: [UInt8]()) { bytes, value in
      if case .bytes(let reader) = value { bytes += reader.remaining }
    }
    return [.bytes(WireReader(merged))]
  }
}

extension FieldDescriptor {
  fileprivate var isMessage: Bool { type == .message || type == .group }
}
