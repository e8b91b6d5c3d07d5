import ProtobufRuntime

/// What the writers need to know of one field.
struct FieldModel {
  enum Shape {
    /// A scalar or enum without presence.
    case plain
    /// A proto3 `optional` scalar or enum.
    case optional
    /// A singular message.
    case message
    /// A singular message that leads back to the message that has the field.
    case boxed
    case repeated
    case map(key: FieldDescriptor, value: FieldDescriptor)
  }

  let descriptor: FieldDescriptor
  let shape: Shape
  /// The property's name in Swift, with backticks where it is a keyword.
  let name: String
  /// The type of one value in Swift.
  let valueType: String
  let rules: DeclaredRules

  /// The type of the property.
  var propertyType: String {
    switch shape {
    case .plain: valueType
    case .optional, .message, .boxed: "\(valueType)?"
    case .repeated: "[\(valueType)]"
    case .map(let key, _): "[\(FieldModel.scalarType(key.type) ?? "String"): \(valueType)]"
    }
  }

  /// The initial value of the property.
  var initialValue: String {
    switch shape {
    case .plain: FieldModel.zero(descriptor.type, valueType)
    case .optional, .message, .boxed: "nil"
    case .repeated: "[]"
    case .map: "[:]"
    }
  }

  /// The name of the stored property behind a boxed one.
  var boxName: String { "boxed_\(name.filter { $0 != "`" })" }

  /// The Swift type of scalars; nil for enums and messages.
  static func scalarType(_ type: FieldType) -> String? {
    switch type {
    case .double: "Double"
    case .float: "Float"
    case .int64, .sint64, .sfixed64: "Int64"
    case .uint64, .fixed64: "UInt64"
    case .int32, .sint32, .sfixed32: "Int32"
    case .uint32, .fixed32: "UInt32"
    case .bool: "Bool"
    case .string: "String"
    case .bytes: "[UInt8]"
    case .enum, .message, .group: nil
    }
  }

  private static func zero(_ type: FieldType, _ valueType: String) -> String {
    switch type {
    case .bool: "false"
    case .string: "\"\""
    case .bytes: "[]"
    case .enum: "\(valueType)(rawValue: 0)"
    default: "0"
    }
  }
}

/// What the writers need to know of one message.
struct MessageModel {
  struct Oneof {
    let descriptor: OneofDescriptor
    let index: Int
    /// The property's name in Swift.
    let name: String
    /// The enum's name in Swift.
    let type: String
    var members: [FieldModel]
    /// Whether a member leads back to the message.
    let isRecursive: Bool
  }

  /// A property: what the order of the proto says.
  enum Property {
    case field(FieldModel)
    case oneof(Oneof)
  }

  let descriptor: MessageDescriptor
  /// The name in Swift.
  let name: String
  let properties: [Property]

  var cType: String { CNaming.type(descriptor.fullName) }
}
