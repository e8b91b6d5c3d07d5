/// Builds the debug text of a message: `Ride { id: "ride_01…", pin: <secret>, stops: [Stop { … }] }`. Fields with
/// their zero value are left out, secret ones are hidden.
public struct DebugText {
  private var text: String
  private var isEmpty = true

  public init(_ type: StaticString) {
    text = "\(type) {"
  }

  /// The text built so far.
  public var result: String { isEmpty ? text + "}" : text + " }" }

  public mutating func field(_ name: StaticString, _ value: String) {
    if !value.isEmpty { append(name, value.debugDescription) }
  }

  public mutating func field(_ name: StaticString, _ value: Bool) {
    if value { append(name, "true") }
  }

  public mutating func field<Value: Numeric>(_ name: StaticString, _ value: Value) {
    if value != .zero { append(name, "\(value)") }
  }

  public mutating func field<Value: ProtobufEnum>(_ name: StaticString, _ value: Value) {
    if value.rawValue != 0 { append(name, value.protoName) }
  }

  /// An optional field, shown whenever it is there: a message, or a scalar that differs from an absent one.
  public mutating func field<Value>(_ name: StaticString, _ value: Value?) {
    if let value { append(name, Self.text(value)) }
  }

  public mutating func field<Value>(_ name: StaticString, _ values: [Value]) {
    if !values.isEmpty { append(name, Self.text(values)) }
  }

  public mutating func field<Key: Hashable, Value>(_ name: StaticString, _ values: [Key: Value]) {
    guard !values.isEmpty else { return }
    let entries = values.map { "\(Self.text($0.key)): \(Self.text($0.value))" }.sorted()
    append(name, "[\(entries.joined(separator: ", "))]")
  }

  /// Bytes are shown by number: they are seldom readable and often long.
  public mutating func field(_ name: StaticString, _ value: [UInt8]) {
    if !value.isEmpty { append(name, Self.text(value)) }
  }

  /// A field whose proto says that it must not be shown.
  public mutating func secret(_ name: StaticString) {
    append(name, "<secret>")
  }

  /// How much is there that the proto does not know.
  public mutating func unknownFields(_ fields: UnknownFields) {
    if !fields.isEmpty { append("unknown", Self.text(fields.bytes)) }
  }

  private mutating func append(_ name: StaticString, _ value: String) {
    text += isEmpty ? " " : ", "
    text += "\(name): \(value)"
    isEmpty = false
  }

  private static func text<Value>(_ value: Value) -> String {
    switch value {
    case let bytes as [UInt8]: "<\(bytes.count) bytes>"
    case let values as [Any]: "[\(values.map { text($0) }.joined(separator: ", "))]"
    default: String(reflecting: value)
    }
  }
}
