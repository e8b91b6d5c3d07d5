internal import CDescriptor

/// The type of a field, with the numbers of descriptor.proto.
public enum FieldType: UInt32, Sendable {
  case double = 1
  case float = 2
  case int64 = 3
  case uint64 = 4
  case int32 = 5
  case fixed64 = 6
  case fixed32 = 7
  case bool = 8
  case string = 9
  case group = 10
  case message = 11
  case bytes = 12
  case uint32 = 13
  case `enum` = 14
  case sfixed32 = 15
  case sfixed64 = 16
  case sint32 = 17
  case sint64 = 18

  /// Whether a repeated field of the type may be packed: everything but text, bytes and messages.
  public var isPackable: Bool {
    switch self {
    case .string, .bytes, .message, .group: false
    default: true
    }
  }

  /// The name in a proto file; "message" and "enum" for types that have a name of their own.
  public var keyword: String { String(describing: self) }
}

/// One field of a message, or an extension.
public final class FieldDescriptor: Sendable {
  public enum Label: UInt32, Sendable {
    case optional = 1
    case required = 2
    case repeated = 3
  }

  /// The name in the proto: `request_id`.
  public let name: String
  /// Message and name: `octet.rides.v1.Ride.request_id`. For an extension, the scope that declares it and name.
  public let fullName: String
  /// The name in JSON: `requestId`.
  public let jsonName: String
  public let number: Int32
  public let type: FieldType
  public let label: Label
  /// Full name of the message or enum, for the types that have one.
  public let typeName: String?
  /// Index in the message's `oneofs`, the synthetic ones of `optional` included.
  public let oneofIndex: Int?
  /// Declared `optional` in proto3; its oneof is synthetic.
  public let isProto3Optional: Bool
  /// Repeated, packable, and written packed: by declaration or, in proto3, by default.
  public let isPacked: Bool
  /// Repeated, of an entry message that stands for a map.
  public let isMap: Bool
  /// A singular field whose absence differs from its zero value: of a message, in a oneof, `optional`, or in proto2.
  public let hasPresence: Bool
  /// proto2's default in the text of descriptor.proto.
  public let defaultValue: String?
  /// Whose extension it is; nil for an ordinary field.
  public let extendee: String?
  public let isDeprecated: Bool
  /// The comment before the field; empty if there is none or the source information was stripped.
  public let comment: String
  /// The custom options in wire form.
  public let customOptions: [UInt8]

  /// The oneof that the proto declares around the field; nil for the synthetic one of `optional`.
  public var realOneofIndex: Int? { isProto3Optional ? nil : oneofIndex }

  public var isRepeated: Bool { label == .repeated }

  init(
    _ proto: Google__Protobuf__FieldDescriptorProto, _ source: DescriptorSource, mapEntries: Set<String> = []
  ) throws(DescriptorError) {
    name = ProtobufRuntime.text(proto.name) ?? ""
    fullName = source.fullName(name)
    guard let type = FieldType(rawValue: proto.type.rawValue), let label = Label(rawValue: proto.label.rawValue) else {
      throw .malformed(file: source.file, why: "\(fullName) has an unknown type or label")
    }
    guard (1...Self.greatestNumber).contains(proto.number) else {
      throw .malformed(file: source.file, why: "\(fullName) has the number \(proto.number)")
    }
    jsonName = ProtobufRuntime.text(proto.json_name) ?? Self.jsonName(of: name)
    number = proto.number
    self.type = type
    self.label = label
    let namesType = type == .message || type == .enum || type == .group
    typeName = namesType ? ProtobufRuntime.fullName(proto.type_name) : nil
    oneofIndex = proto.has_oneof_index != 0 ? Int(proto.oneof_index) : nil
    isProto3Optional = proto.proto3_optional != 0
    let options = proto.options?.pointee
    let isPackable = label == .repeated && type.isPackable
    if let options, options.has_packed != 0 {
      isPacked = isPackable && options.packed != 0
    } else {
      isPacked = isPackable && !source.isProto2
    }
    isMap = label == .repeated && type == .message && mapEntries.contains(typeName ?? "")
    hasPresence =
      label != .repeated && (source.isProto2 || oneofIndex != nil || type == .message || type == .group)
    defaultValue = ProtobufRuntime.text(proto.default_value)
    extendee = proto.extendee == nil ? nil : ProtobufRuntime.fullName(proto.extendee)
    isDeprecated = (options?.deprecated ?? 0) != 0
    comment = source.comment
    customOptions = ProtobufRuntime.customOptions(options?.base)
  }

  /// Field numbers have 29 bits.
  private static let greatestNumber: Int32 = (1 << 29) - 1

  /// protoc's rule: underscores go, the letter after one becomes a capital.
  private static func jsonName(of name: String) -> String {
    var result = ""
    var raise = false
    for character in name {
      if character == "_" {
        raise = true
      } else {
        result += raise ? character.uppercased() : String(character)
        raise = false
      }
    }
    return result
  }
}
