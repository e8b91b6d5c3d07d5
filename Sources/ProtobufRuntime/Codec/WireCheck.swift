internal import CProtobufC

/// Looks over the wire form before protobuf-c sees it, because protobuf-c recurses without a bound, takes a field of
/// the wrong wire type for a bool, and reads beyond its tables when it merges two parts of one message.
struct WireCheck {
  /// Greatest nesting that passes; the root is at depth 1.
  let deepest: Int
  /// Greatest number of elements that passes; see `DecodeLimits.elements`.
  let most: Int
  /// How many have passed.
  private(set) var elements = 0
  /// Whether a singular message field comes in several parts somewhere, which `WireMerge` must join.
  private(set) var hasRepeatedParts = false

  init(_ limits: DecodeLimits) {
    deepest = limits.depth
    most = limits.elements
  }

  /// - Throws: `.tooDeep`; `.tooMany`; `.malformed` for truncated values, groups (which proto3 does not have), field numbers out
  ///   of range and values whose wire type does not fit their field.
  mutating func message(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int
  ) throws(DecodeError) {
    guard depth <= deepest else { throw .tooDeep }
    var cursor = WireCursor(bytes)
    // One bit for each of the first 64 fields, and the message fields beyond those.
    var seen: UInt64 = 0
    var seenBeyond: Set<Int> = []
    while try cursor.advance() {
      guard let index = fieldIndex(of: cursor.number, in: descriptor) else {
        try count(1)
        continue
      }
      let field = descriptor.pointee.fields + index
      guard accepts(cursor.wireType, field) else { throw .malformed }
      let isMessage = field.pointee.type == PROTOBUF_C_TYPE_MESSAGE
      if field.pointee.label == PROTOBUF_C_LABEL_REPEATED {
        let isPacked = cursor.wireType == .lengthDelimited && isNumber(field)
        try count(isPacked ? 1 + packedCount(cursor.payload, field) / DecodeLimits.packedNumbers : 1)
      } else {
        // Of a number or text beyond 64 the second value is not recognized, so the first one counts as such.
        let bit: UInt64 = index < 64 ? 1 << UInt64(index) : 0
        let isRepeated = bit != 0 ? seen & bit != 0 : !isMessage || !seenBeyond.insert(index).inserted
        seen |= bit
        if isMessage || isRepeated { try count(1) }
        if isMessage, isRepeated { hasRepeatedParts = true }
      }
      if isMessage { try message(cursor.payload, messageDescriptor(of: field), depth: depth + 1) }
    }
  }

  private mutating func count(_ number: Int) throws(DecodeError) {
    elements += number
    guard elements <= most else { throw .tooMany }
  }
}

/// Walks over the records of one message: after each `advance` it describes one of them.
///
/// Works on pointers without copies, because every message that comes in passes through it.
struct WireCursor {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  /// The number of the record's field.
  private(set) var number: UInt32 = 0
  private(set) var wireType = WireType.varint
  /// Where the record begins with its tag.
  private(set) var start = 0
  /// Where the value begins; for a length-delimited one after its length.
  private(set) var payloadStart = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  /// The record with its tag.
  var record: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[start..<position]) }

  /// The value, without the length of a length-delimited one.
  var payload: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[payloadStart..<position]) }

  /// Goes to the next record; false at the end.
  @inline(__always)
  mutating func advance() throws(DecodeError) -> Bool {
    start = position
    guard start < bytes.count else { return false }
    let tag = try varint(longest: 5)
    guard tag <= UInt64(UInt32.max), tag >> 3 != 0, let wireType = WireType(rawValue: UInt32(tag & 7)) else {
      throw .malformed
    }
    number = UInt32(truncatingIfNeeded: tag >> 3)
    self.wireType = wireType
    payloadStart = position
    switch wireType {
    case .varint: _ = try varint(longest: 10)
    case .fixed64: try skip(8)
    case .fixed32: try skip(4)
    case .lengthDelimited:
      // protobuf-c reads no more than five bytes of a length.
      let length = try varint(longest: 5)
      payloadStart = position
      try skip(length)
    case .startGroup, .endGroup: throw .malformed
    }
    return true
  }

  @inline(__always)
  private mutating func varint(longest: Int) throws(DecodeError) -> UInt64 {
    if position < bytes.count, bytes[position] < 0x80 {
      position += 1
      return UInt64(bytes[position - 1])
    }
    return try longVarint(longest: longest)
  }

  private mutating func longVarint(longest: Int) throws(DecodeError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    let end = min(bytes.count, position + longest)
    while position < end {
      let byte = bytes[position]
      position += 1
      // The tenth octet has room for one bit. protobuf-c takes a bool for true that has none but bits beyond.
      if shift == 63, byte > 1 { throw .malformed }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw .malformed
  }

  @inline(__always)
  private mutating func skip(_ count: UInt64) throws(DecodeError) {
    guard count <= UInt64(bytes.count - position) else { throw .malformed }
    position += Int(count)
  }
}

/// Where the field of that number stands among the descriptor's fields, which are sorted by number.
@inline(__always)
func fieldIndex(of number: UInt32, in descriptor: UnsafePointer<ProtobufCMessageDescriptor>) -> Int? {
  let count = Int(descriptor.pointee.n_fields)
  guard count > 0, let fields = descriptor.pointee.fields else { return nil }
  // Most messages number their fields without gaps.
  let guess = Int(number) - 1
  if guess < count, fields[guess].id == number { return guess }
  var low = 0
  var high = count
  while low < high {
    let middle = (low + high) / 2
    if fields[middle].id < number { low = middle + 1 } else { high = middle }
  }
  return low < count && fields[low].id == number ? low : nil
}

/// Whether the field's values are not length-delimited by themselves.
@inline(__always)
private func isNumber(_ field: UnsafePointer<ProtobufCFieldDescriptor>) -> Bool {
  switch field.pointee.type {
  case PROTOBUF_C_TYPE_MESSAGE, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_STRING: false
  default: true
  }
}

/// How many numbers a packed list has.
private func packedCount(_ list: UnsafeRawBufferPointer, _ field: UnsafePointer<ProtobufCFieldDescriptor>) -> Int {
  switch field.pointee.type {
  case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT: return list.count / 4
  case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE: return list.count / 8
  default:
    // Each varint has one octet without the high bit: its last.
    var count = 0
    for octet in list where octet < 0x80 { count += 1 }
    return count
  }
}

/// Whether protobuf-c can read the field from a value of that wire type.
@inline(__always)
func accepts(_ wireType: WireType, _ field: UnsafePointer<ProtobufCFieldDescriptor>) -> Bool {
  let expected: WireType =
    switch field.pointee.type {
    case PROTOBUF_C_TYPE_MESSAGE, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_STRING: .lengthDelimited
    case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT: .fixed32
    case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE: .fixed64
    default: .varint
    }
  // Whether packed is declared or not, both forms are read.
  return wireType == expected || (wireType == .lengthDelimited && field.pointee.label == PROTOBUF_C_LABEL_REPEATED)
}

/// The descriptor of a message field's type.
@inline(__always)
func messageDescriptor(
  of field: UnsafePointer<ProtobufCFieldDescriptor>
) -> UnsafePointer<ProtobufCMessageDescriptor> {
  field.pointee.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
}

/// Whether the field is one value at a fixed place, whose presence nothing tells but a oneof's case.
@inline(__always)
func hasPlainPlace(_ field: UnsafePointer<ProtobufCFieldDescriptor>) -> Bool {
  switch field.pointee.label {
  case PROTOBUF_C_LABEL_NONE: true
  case PROTOBUF_C_LABEL_OPTIONAL:
    field.pointee.quantifier_offset == 0 || field.pointee.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0
  default: false
  }
}
