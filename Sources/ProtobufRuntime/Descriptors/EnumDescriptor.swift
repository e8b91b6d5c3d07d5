internal import CDescriptor

/// One value of an enum.
public struct EnumValueDescriptor: Sendable {
  /// The name in the proto: `RIDE_STATE_REQUESTED`.
  public let name: String
  public let number: Int32
  public let isDeprecated: Bool
  /// The comment before the value; empty if there is none.
  public let comment: String
  /// The custom options in wire form.
  public let customOptions: [UInt8]
}

/// An enum.
public final class EnumDescriptor: Sendable {
  /// The name without its scope: `RideState`.
  public let name: String
  /// The name with package and surrounding messages.
  public let fullName: String
  /// All values in the order of the proto, aliases included.
  public let values: [EnumValueDescriptor]
  /// Whether several names may share a number.
  public let allowsAliases: Bool
  /// Whether values that the proto does not name are values nevertheless: in proto3, not in proto2.
  public let isOpen: Bool
  public let isDeprecated: Bool
  /// The comment before the enum; empty if there is none.
  public let comment: String
  /// The custom options in wire form.
  public let customOptions: [UInt8]
  /// The name of the file that defines it.
  public let file: String
  private let indexByName: [String: Int]
  private let indexByNumber: [Int32: Int]

  init(_ proto: Google__Protobuf__EnumDescriptorProto, _ source: DescriptorSource) throws(DescriptorError) {
    name = ProtobufRuntime.text(proto.name) ?? ""
    fullName = source.fullName(name)
    values = pointees(proto.n_value, proto.value).enumerated().map { index, value in
      let options = value.pointee.options?.pointee
      return EnumValueDescriptor(
        name: ProtobufRuntime.text(value.pointee.name) ?? "", number: value.pointee.number,
        isDeprecated: (options?.deprecated ?? 0) != 0, comment: source.item(2, index).comment,
        customOptions: ProtobufRuntime.customOptions(options?.base))
    }
    guard !values.isEmpty else { throw .malformed(file: source.file, why: "\(fullName) has no values") }
    let options = proto.options?.pointee
    allowsAliases = (options?.allow_alias ?? 0) != 0
    isOpen = !source.isProto2
    isDeprecated = (options?.deprecated ?? 0) != 0
    comment = source.comment
    customOptions = ProtobufRuntime.customOptions(options?.base)
    file = source.file
    indexByName = Dictionary(values.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    indexByNumber = Dictionary(values.enumerated().map { ($1.number, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The value of that name.
  public func value(named name: String) -> EnumValueDescriptor? {
    indexByName[name].map { values[$0] }
  }

  /// The value of that number; the first of several aliases.
  public func value(numbered number: Int32) -> EnumValueDescriptor? {
    indexByNumber[number].map { values[$0] }
  }
}
