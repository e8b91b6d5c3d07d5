internal import CProtobufC

/// Writes short, plain messages from protobuf-c's structs in one pass; protobuf-c needs one for the size and one for the
/// octets, and looks at more in each. What has repeated fields, maps or unknown fields, or is long, is left to it. The
/// octets are the same.
struct WirePack {
  private var position: UnsafeMutableRawPointer
  private let end: UnsafeMutableRawPointer

  /// Writes at `start` at most `room` octets.
  init(at start: UnsafeMutableRawPointer, room: Int) {
    position = start
    end = start + room
  }

  /// The longest tag and number, and the tag and length of a value.
  private static let longestNumber = 5 + 10

  /// - Returns: how many octets were written; nil if the message does not fit or has to be left to protobuf-c.
  mutating func message(_ raw: UnsafeRawPointer) -> Int? {
    let message = raw.assumingMemoryBound(to: ProtobufCMessage.self)
    guard message.pointee.n_unknown_fields == 0, let descriptor = message.pointee.descriptor else { return nil }
    let start = position
    for index in 0..<Int(descriptor.pointee.n_fields) {
      let field = descriptor.pointee.fields + index
      guard hasPlainPlace(field), end - position >= Self.longestNumber else { return nil }
      let place = raw + Int(field.pointee.offset)
      // A member of a oneof is written when it is the one, even if it is zero.
      var mayBeZero = false
      if field.pointee.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0 {
        let chosen = raw.load(fromByteOffset: Int(field.pointee.quantifier_offset), as: UInt32.self)
        guard chosen == field.pointee.id else { continue }
        mayBeZero = true
      }
      guard write(field, place, mayBeZero) else { return nil }
    }
    return position - start
  }

  /// - Returns: false if the value does not fit or has to be left to protobuf-c.
  @inline(__always)
  private mutating func write(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, _ place: UnsafeRawPointer, _ mayBeZero: Bool
  ) -> Bool {
    let id = field.pointee.id
    switch field.pointee.type {
    case PROTOBUF_C_TYPE_BYTES:
      let value = place.load(as: ProtobufCBinaryData.self)
      if value.len > 0 || mayBeZero { return bytes(id, value) }
    case PROTOBUF_C_TYPE_MESSAGE:
      if let inner = place.load(as: UnsafeRawPointer?.self) { return nested(id, inner) }
    case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_ENUM:
      let value = place.load(as: Int32.self)
      if value != 0 || mayBeZero { number(id, UInt64(bitPattern: Int64(value))) }
    case PROTOBUF_C_TYPE_UINT32:
      let value = place.load(as: UInt32.self)
      if value != 0 || mayBeZero { number(id, UInt64(value)) }
    case PROTOBUF_C_TYPE_SINT32:
      let value = place.load(as: Int32.self)
      if value != 0 || mayBeZero { number(id, UInt64(UInt32(bitPattern: (value << 1) ^ (value >> 31)))) }
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_UINT64:
      let value = place.load(as: UInt64.self)
      if value != 0 || mayBeZero { number(id, value) }
    case PROTOBUF_C_TYPE_SINT64:
      let value = place.load(as: Int64.self)
      if value != 0 || mayBeZero { number(id, UInt64(bitPattern: (value << 1) ^ (value >> 63))) }
    case PROTOBUF_C_TYPE_BOOL:
      let value = place.load(as: protobuf_c_boolean.self)
      if value != 0 || mayBeZero { number(id, value == 0 ? 0 : 1) }
    case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT:
      let value = place.load(as: UInt32.self)
      if value != 0 || mayBeZero { fixed(id, .fixed32, value.littleEndian) }
    case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE:
      let value = place.load(as: UInt64.self)
      if value != 0 || mayBeZero { fixed(id, .fixed64, value.littleEndian) }
    default: return false
    }
    return true
  }

  private mutating func bytes(_ id: UInt32, _ value: ProtobufCBinaryData) -> Bool {
    tag(id, .lengthDelimited)
    varint(UInt64(value.len))
    guard end - position >= value.len else { return false }
    if let data = value.data { position.copyMemory(from: data, byteCount: value.len) }
    position += value.len
    return true
  }

  /// Leaves one octet for the length; few nested messages that come here need more, and these are moved.
  private mutating func nested(_ id: UInt32, _ inner: UnsafeRawPointer) -> Bool {
    tag(id, .lengthDelimited)
    let lengthPlace = position
    position += 1
    guard let length = message(inner) else { return false }
    if length > 0x7f {
      guard end - position >= Self.longestNumber else { return false }
      var digits = 1
      while length >> (7 * digits) > 0 { digits += 1 }
      (lengthPlace + digits).copyMemory(from: lengthPlace + 1, byteCount: length)
    }
    position = lengthPlace
    varint(UInt64(length))
    position += length
    return true
  }

  private mutating func number(_ id: UInt32, _ value: UInt64) {
    tag(id, .varint)
    varint(value)
  }

  private mutating func fixed<Value: BitwiseCopyable>(_ id: UInt32, _ type: WireType, _ value: Value) {
    tag(id, type)
    position.storeBytes(of: value, as: Value.self)
    position += MemoryLayout<Value>.size
  }

  @inline(__always)
  private mutating func tag(_ id: UInt32, _ type: WireType) {
    varint(UInt64(id) << 3 | UInt64(type.rawValue))
  }

  @inline(__always)
  private mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      position.storeBytes(of: UInt8(truncatingIfNeeded: value) | 0x80, as: UInt8.self)
      position += 1
      value >>= 7
    }
    position.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    position += 1
  }
}
