internal import CDescriptor

/// A oneof of a message.
public struct OneofDescriptor: Sendable {
  public let name: String
  /// Made by protoc around a proto3 `optional` field. Synthetic oneofs come after all others.
  public let isSynthetic: Bool
  /// The comment before the oneof; empty if there is none.
  public let comment: String
}

/// A message type.
public final class MessageDescriptor: Sendable {
  /// The name without its scope: `Ride`.
  public let name: String
  /// The name with package and surrounding messages: `octet.rides.v1.Ride`.
  public let fullName: String
  /// The fields in the order of the proto.
  public let fields: [FieldDescriptor]
  /// The oneofs in the order of the proto, synthetic ones last.
  public let oneofs: [OneofDescriptor]
  /// The messages declared inside, map entries included.
  public let nestedMessages: [MessageDescriptor]
  /// The enums declared inside.
  public let nestedEnums: [EnumDescriptor]
  /// The extensions declared inside, of whichever message.
  public let nestedExtensions: [FieldDescriptor]
  /// Made by protoc for a map field: `key` has number 1, `value` has number 2.
  public let isMapEntry: Bool
  public let isDeprecated: Bool
  /// The comment before the message; empty if there is none.
  public let comment: String
  /// The custom options in wire form.
  public let customOptions: [UInt8]
  /// The name of the file that defines it.
  public let file: String
  private let indexByNumber: [Int32: Int]
  private let indexByName: [String: Int]
  private let indexByJSONName: [String: Int]

  init(_ proto: Google__Protobuf__DescriptorProto, _ source: DescriptorSource) throws(DescriptorError) {
    name = ProtobufRuntime.text(proto.name) ?? ""
    fullName = source.fullName(name)
    let inside = source.inside(name)
    nestedMessages = try pointees(proto.n_nested_type, proto.nested_type).enumerated()
      .map { index, item throws(DescriptorError) in try MessageDescriptor(item.pointee, inside.item(3, index)) }
    nestedEnums = try pointees(proto.n_enum_type, proto.enum_type).enumerated()
      .map { index, item throws(DescriptorError) in try EnumDescriptor(item.pointee, inside.item(4, index)) }
    let mapEntries = Set(nestedMessages.lazy.filter(\.isMapEntry).map(\.fullName))
    let fields = try pointees(proto.n_field, proto.field).enumerated()
      .map { index, item throws(DescriptorError) in
        try FieldDescriptor(item.pointee, inside.item(2, index), mapEntries: mapEntries)
      }
    self.fields = fields
    nestedExtensions = try pointees(proto.n_extension, proto.extension).enumerated()
      .map { index, item throws(DescriptorError) in try FieldDescriptor(item.pointee, inside.item(6, index)) }
    oneofs = pointees(proto.n_oneof_decl, proto.oneof_decl).enumerated().map { index, item in
      OneofDescriptor(
        name: ProtobufRuntime.text(item.pointee.name) ?? "",
        isSynthetic: fields.contains { $0.oneofIndex == index && $0.isProto3Optional },
        comment: inside.item(8, index).comment)
    }
    let options = proto.options?.pointee
    isMapEntry = (options?.map_entry ?? 0) != 0
    isDeprecated = (options?.deprecated ?? 0) != 0
    comment = source.comment
    customOptions = ProtobufRuntime.customOptions(options?.base)
    file = source.file
    indexByNumber = Dictionary(fields.enumerated().map { ($1.number, $0) }, uniquingKeysWith: { first, _ in first })
    indexByName = Dictionary(fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    indexByJSONName = Dictionary(
      fields.enumerated().map { ($1.jsonName, $0) }, uniquingKeysWith: { first, _ in first })
    guard indexByNumber.count == fields.count, indexByName.count == fields.count else {
      throw .malformed(file: source.file, why: "\(fullName) has two fields of one number or name")
    }
    guard fields.allSatisfy({ oneofs.indices.contains($0.oneofIndex ?? 0) || $0.oneofIndex == nil }) else {
      throw .malformed(file: source.file, why: "\(fullName) has a field in a oneof that does not exist")
    }
    if isMapEntry, indexByNumber[1] == nil || indexByNumber[2] == nil || fields.count != 2 {
      throw .malformed(file: source.file, why: "\(fullName) is no map entry")
    }
  }

  /// The field of that number.
  public func field(numbered number: Int32) -> FieldDescriptor? {
    indexByNumber[number].map { fields[$0] }
  }

  /// The field of that name in the proto.
  public func field(named name: String) -> FieldDescriptor? {
    indexByName[name].map { fields[$0] }
  }

  /// The field that a key in JSON stands for: its JSON name or its name in the proto.
  public func field(jsonKey key: String) -> FieldDescriptor? {
    (indexByJSONName[key] ?? indexByName[key]).map { fields[$0] }
  }

  /// The entry message of a map field of this message; nil for any other field.
  public func mapEntry(of field: FieldDescriptor) -> MessageDescriptor? {
    field.isMap ? nestedMessages.first { $0.fullName == field.typeName } : nil
  }
}
