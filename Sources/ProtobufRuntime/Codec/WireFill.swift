internal import CProtobufC

/// Fills protobuf-c's struct of a message straight from the wire form, in the pass that has to check it anyway: most
/// messages that come by the thousand are short and plain. What takes more is left to protobuf-c, after `WireCheck`:
/// repeated fields, maps, unknown fields, and message fields that come in several parts.
///
/// Strings and bytes are not copied: the struct points into the wire form.
struct WireFill {
  /// Greatest nesting that passes; the root is at depth 1.
  let deepest: Int
  /// How many elements may come still; see `DecodeLimits.elements`.
  private var left: Int
  private let arena: UnsafeMutablePointer<Arena>

  init(_ limits: DecodeLimits, arena: UnsafeMutablePointer<Arena>) {
    deepest = limits.depth
    left = limits.elements
    self.arena = arena
  }

  /// - Returns: the struct; nil if the message has to take the long way.
  /// - Throws: what `WireCheck` would throw, and `.overBudget`.
  mutating func message(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int
  ) throws(DecodeError) -> UnsafeMutableRawPointer? {
    guard depth <= deepest else { throw .tooDeep }
    guard let target = arena.pointee.allocate(descriptor) else { throw .overBudget }
    var cursor = WireCursor(bytes)
    // One bit for each of the first 64 fields.
    var seen: UInt64 = 0
    while try cursor.advance() {
      guard let index = fieldIndex(of: cursor.number, in: descriptor) else { return nil }
      let field = descriptor.pointee.fields + index
      guard accepts(cursor.wireType, field) else { throw .malformed }
      guard hasPlainPlace(field) else { return nil }
      let place = target + Int(field.pointee.offset)
      // Of a field beyond 64 every value counts as one that replaces another.
      let bit: UInt64 = index < 64 ? 1 << UInt64(index) : 0
      let isRepeated = bit == 0 || seen & bit != 0
      seen |= bit
      if field.pointee.type == PROTOBUF_C_TYPE_MESSAGE {
        if isRepeated { return nil }
        try count()
        guard let inner = try message(cursor.payload, messageDescriptor(of: field), depth: depth + 1) else {
          return nil
        }
        place.storeBytes(of: inner, as: UnsafeMutableRawPointer.self)
      } else {
        if isRepeated { try count() }
        store(cursor.payload, field.pointee.type, at: place)
      }
      if field.pointee.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0 {
        target.storeBytes(of: field.pointee.id, toByteOffset: Int(field.pointee.quantifier_offset), as: UInt32.self)
      }
    }
    return target
  }

  @inline(__always)
  private mutating func count() throws(DecodeError) {
    guard left > 0 else { throw .tooMany }
    left -= 1
  }

  /// Stores a value whose wire type has been found to fit, at a place that protobuf-c has laid out for its type.
  @inline(__always)
  private func store(_ value: UnsafeRawBufferPointer, _ type: ProtobufCType, at place: UnsafeMutableRawPointer) {
    switch type {
    case PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_STRING:
      let start = value.baseAddress?.assumingMemoryBound(to: UInt8.self)
      place.storeBytes(
        of: ProtobufCBinaryData(len: value.count, data: UnsafeMutablePointer(mutating: start)),
        as: ProtobufCBinaryData.self)
    case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_ENUM:
      place.storeBytes(of: UInt32(truncatingIfNeeded: varint(value)), as: UInt32.self)
    case PROTOBUF_C_TYPE_SINT32:
      let zigzag = UInt32(truncatingIfNeeded: varint(value))
      place.storeBytes(of: (zigzag >> 1) ^ (0 &- (zigzag & 1)), as: UInt32.self)
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_UINT64:
      place.storeBytes(of: varint(value), as: UInt64.self)
    case PROTOBUF_C_TYPE_SINT64:
      let zigzag = varint(value)
      place.storeBytes(of: (zigzag >> 1) ^ (0 &- (zigzag & 1)), as: UInt64.self)
    case PROTOBUF_C_TYPE_BOOL:
      place.storeBytes(of: varint(value) == 0 ? 0 : 1, as: protobuf_c_boolean.self)
    case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT:
      place.storeBytes(of: value.loadUnaligned(as: UInt32.self), as: UInt32.self)
    case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE:
      place.storeBytes(of: value.loadUnaligned(as: UInt64.self), as: UInt64.self)
    default:
      preconditionFailure("a type of field that protobuf-c 1.4 does not have")
    }
  }

  /// The number in a varint that has been found to end.
  @inline(__always)
  private func varint(_ value: UnsafeRawBufferPointer) -> UInt64 {
    var number: UInt64 = 0
    var shift: UInt64 = 0
    for byte in value {
      number |= UInt64(byte & 0x7f) << shift
      shift += 7
    }
    return number
  }
}
