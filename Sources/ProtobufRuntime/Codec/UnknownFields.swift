internal import CProtobufC

/// The fields of a message that its proto does not know, kept so that an older program passes on what a newer one
/// wrote.
public struct UnknownFields: Sendable, Equatable {
  /// The fields in wire form, in the order in which they came.
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public var isEmpty: Bool { bytes.isEmpty }

  /// Collects what protobuf-c set aside.
  init(_ message: ProtobufCMessage) {
    let fields = UnsafeBufferPointer(start: message.unknown_fields, count: Int(message.n_unknown_fields))
    var writer = WireWriter()
    for field in fields {
      writer.varint(UInt64(field.tag) << 3 | UInt64(field.wire_type.rawValue))
      writer.raw(UnsafeBufferPointer(start: field.data, count: field.len))
    }
    bytes = writer.bytes
  }

  /// Hands all fields to protobuf-c as one: it writes the first tag, then the rest as it stands.
  func write(to message: inout ProtobufCMessage, _ target: PackedMessage.Target) {
    guard let (tag, tagLength) = Self.firstTag(bytes) else { preconditionFailure("unknown fields begin with a tag") }
    let data = target.bytes(bytes)
    let field = target.allocate(MemoryLayout<ProtobufCMessageUnknownField>.stride)
      .bindMemory(to: ProtobufCMessageUnknownField.self, capacity: 1)
    field.initialize(
      to: ProtobufCMessageUnknownField(
        tag: UInt32(truncatingIfNeeded: tag >> 3), wire_type: ProtobufCWireType(rawValue: UInt32(tag & 7)),
        len: data.len - tagLength, data: data.data + tagLength))
    message.n_unknown_fields = 1
    message.unknown_fields = field
  }

  private static func firstTag(_ bytes: [UInt8]) -> (tag: UInt64, length: Int)? {
    var tag: UInt64 = 0
    for (index, byte) in bytes.prefix(5).enumerated() {
      tag |= UInt64(byte & 0x7f) << UInt64(7 * index)
      if byte < 0x80 { return (tag, index + 1) }
    }
    return nil
  }
}
