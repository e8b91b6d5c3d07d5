internal import CProtobufC

/// Looks over the wire form before protobuf-c sees it, because protobuf-c recurses without a bound, takes a field of
/// the wrong wire type for a bool, and reads beyond its tables when it merges two parts of one message.
struct WireCheck {
  /// Greatest nesting that passes; the root is at depth 1.
  let deepest: Int
  /// Whether a singular message field comes in several parts somewhere, which `WireMerge` must join.
  private(set) var hasRepeatedParts = false

  init(deepest: Int) {
    self.deepest = deepest
  }

  /// - Throws: `.tooDeep`; `.malformed` for truncated values, groups (which proto3 does not have), field numbers out
  ///   of range and values whose wire type does not fit their field.
  mutating func message(
    _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int
  ) throws(DecodeError) {
    guard depth <= deepest else { throw .tooDeep }
    var cursor = WireCursor(bytes)
    // One bit for each of the first 64 fields.
    var seen: UInt64 = 0
    while let record = try cursor.next() {
      guard let index = descriptor.pointee.index(ofField: record.number) else { continue }
      let field = descriptor.pointee.fields + index
      guard field.pointee.accepts(record.wireType) else { throw .malformed }
      guard field.pointee.type == PROTOBUF_C_TYPE_MESSAGE else { continue }
      if field.pointee.label != PROTOBUF_C_LABEL_REPEATED {
        // Beyond 64 the second part is not recognized, so the first one counts as such.
        let bit: UInt64 = index < 64 ? 1 << UInt64(index) : 0
        if bit == 0 || seen & bit != 0 { hasRepeatedParts = true }
        seen |= bit
      }
      try message(record.payload(in: bytes), field.pointee.messageDescriptor, depth: depth + 1)
    }
  }
}

/// One field's value on the wire.
struct WireRecord {
  var number: UInt32
  var wireType: WireType
  /// Where the record begins with its tag, and where it ends.
  var range: Range<Int>
  /// Where the value begins; for a length-delimited one after its length.
  var payloadStart: Int

  func payload(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[payloadStart..<range.upperBound])
  }
}

/// Walks over the records of one message.
struct WireCursor {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  /// The next record; nil at the end.
  mutating func next() throws(DecodeError) -> WireRecord? {
    let start = position
    guard start < bytes.count else { return nil }
    let tag = try varint(longest: 5)
    guard tag <= UInt64(UInt32.max), tag >> 3 != 0 else { throw .malformed }
    var payloadStart = position
    guard let wireType = WireType(rawValue: UInt32(tag & 7)) else { throw .malformed }
    switch wireType {
    case .varint: try skipVarint()
    case .fixed64: try skip(8)
    case .fixed32: try skip(4)
    case .lengthDelimited:
      // protobuf-c reads no more than five bytes of a length.
      let length = try varint(longest: 5)
      payloadStart = position
      guard length <= UInt64(bytes.count - position) else { throw .malformed }
      position += Int(length)
    case .startGroup, .endGroup: throw .malformed
    }
    return WireRecord(
      number: UInt32(truncatingIfNeeded: tag >> 3), wireType: wireType,
      range: start..<position, payloadStart: payloadStart)
  }

  private mutating func varint(longest: Int) throws(DecodeError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    let end = min(bytes.count, position + longest)
    while position < end {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw .malformed
  }

  private mutating func skipVarint() throws(DecodeError) {
    let end = min(bytes.count, position + 10)
    while position < end {
      let byte = bytes[position]
      position += 1
      if byte < 0x80 { return }
    }
    throw .malformed
  }

  private mutating func skip(_ count: Int) throws(DecodeError) {
    guard count <= bytes.count - position else { throw .malformed }
    position += count
  }
}

extension ProtobufCMessageDescriptor {
  /// Where the field of that number stands among `fields`, which are sorted by number.
  func index(ofField number: UInt32) -> Int? {
    let guess = Int(number) - 1
    if guess < n_fields, fields[guess].id == number { return guess }
    var low = 0
    var high = Int(n_fields)
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].id < number { low = middle + 1 } else { high = middle }
    }
    return low < n_fields && fields[low].id == number ? low : nil
  }
}

extension ProtobufCFieldDescriptor {
  /// Whether protobuf-c can read the field from a value of that wire type.
  func accepts(_ wireType: WireType) -> Bool {
    switch type {
    case PROTOBUF_C_TYPE_MESSAGE, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_STRING:
      return wireType == .lengthDelimited
    case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT:
      if wireType == .fixed32 { return true }
    case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE:
      if wireType == .fixed64 { return true }
    default:
      if wireType == .varint { return true }
    }
    return label == PROTOBUF_C_LABEL_REPEATED && wireType == .lengthDelimited
  }
}
