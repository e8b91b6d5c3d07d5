import ProtobufRuntime

/// A message that is known by its descriptor only, read field by field.
struct DynamicMessage {
  let type: MessageDescriptor
  private let pool: DescriptorPool
  private let reader: WireReader

  /// The message in its wire form.
  var wire: [UInt8] { Array(reader.remaining) }

  /// - Parameter type: the full name of a message in `pool`.
  init?(_ bytes: [UInt8], type: String, pool: DescriptorPool) {
    guard let type = pool.message(type) else { return nil }
    self.init(WireReader(bytes), type, pool)
  }

  private init(_ reader: WireReader, _ type: MessageDescriptor, _ pool: DescriptorPool) {
    self.reader = reader
    self.type = type
    self.pool = pool
  }

  /// The message in a field; nil if it is absent.
  func message(_ name: String) -> DynamicMessage? { messages(name).last }

  /// The messages in a repeated field.
  func messages(_ name: String) -> [DynamicMessage] {
    guard let field = type.field(named: name), let inner = pool.messageType(of: field) else { return [] }
    return values(of: field, .lengthDelimited).compactMap {
      var reader = $0
      return (try? reader.lengthDelimited()).map { DynamicMessage($0, inner, pool) }
    }
  }

  /// The text in a field; empty if it is absent.
  func text(_ name: String) -> String {
    guard let field = type.field(named: name), var reader = values(of: field, .lengthDelimited).last,
      let text = try? reader.lengthDelimited().text(field: name)
    else { return "" }
    return text
  }

  /// The octets in a field; empty if it is absent.
  func bytes(_ name: String) -> [UInt8] {
    guard let field = type.field(named: name), var reader = values(of: field, .lengthDelimited).last,
      let value = try? reader.lengthDelimited()
    else { return [] }
    return Array(value.remaining)
  }

  /// The integer in a varint field; nil if it is absent.
  func integer(_ name: String) -> Int64? {
    guard let field = type.field(named: name), var reader = values(of: field, .varint).last,
      let value = try? reader.varint()
    else { return nil }
    return Int64(bitPattern: value)
  }

  /// The number in a double field; nil if it is absent.
  func double(_ name: String) -> Double? {
    guard let field = type.field(named: name), var reader = values(of: field, .fixed64).last,
      let bits = try? reader.fixed64()
    else { return nil }
    return Double(bitPattern: bits)
  }

  /// The name of the value in an enum field: the zero value's if it is absent.
  func enumName(_ name: String) -> String {
    guard let field = type.field(named: name), let values = pool.enumType(of: field) else { return "" }
    let number = Int32(truncatingIfNeeded: integer(name) ?? 0)
    return values.value(numbered: number)?.name ?? String(number)
  }

  /// Readers of the occurrences of a field, each before its value. What is malformed ends the list: the message has
  /// come through a codec that checks it, or is shown as far as it goes.
  private func values(of field: FieldDescriptor, _ wireType: WireType) -> [WireReader] {
    var reader = reader
    var found: [WireReader] = []
    while let tag = try? reader.tag() {
      if tag == WireTag(number: field.number, type: wireType) { found.append(reader) }
      guard (try? reader.skip(tag)) != nil else { break }
    }
    return found
  }
}
