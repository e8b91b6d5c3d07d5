/// Reads protobuf's wire form field by field, without knowing the message: for what is driven by descriptors
/// (JSON, custom options) and therefore has no generated C.
///
/// A value type over a shared array: a reader of a nested message costs no copy.
package struct WireReader: Sendable {
  private let bytes: [UInt8]
  /// Where the next octet is read, as an index of the whole array.
  package private(set) var position: Int
  private let end: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    position = 0
    end = bytes.count
  }

  private init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  package var isAtEnd: Bool { position == end }

  /// What is left to read, copied.
  package var remaining: [UInt8] { Array(bytes[position..<end]) }

  /// How many octets are left.
  package var count: Int { end - position }

  /// The octets in `range`, indexes of the whole array, copied.
  package func slice(_ range: Range<Int>) -> [UInt8] { Array(bytes[range]) }

  /// The next tag; nil at the end.
  package mutating func tag() throws(DecodeError) -> WireTag? {
    if isAtEnd { return nil }
    let value = try varint()
    guard value <= UInt64(UInt32.max), value >> 3 != 0, let type = WireType(rawValue: UInt32(value & 7)) else {
      throw .malformed
    }
    return WireTag(number: Int32(value >> 3), type: type)
  }

  package mutating func varint() throws(DecodeError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = bytes[position]
      position += 1
      // The tenth octet has room for one bit.
      if shift == 63, byte > 1 { throw .malformed }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw .malformed
  }

  package mutating func fixed32() throws(DecodeError) -> UInt32 {
    guard count >= 4 else { throw .malformed }
    var value: UInt32 = 0
    for index in 0..<4 { value |= UInt32(bytes[position + index]) << UInt32(8 * index) }
    position += 4
    return value
  }

  package mutating func fixed64() throws(DecodeError) -> UInt64 {
    UInt64(try fixed32()) | UInt64(try fixed32()) << 32
  }

  /// A reader of the length-delimited value that comes next.
  package mutating func lengthDelimited() throws(DecodeError) -> WireReader {
    let length = try varint()
    guard length <= UInt64(count) else { throw .malformed }
    let start = position
    position += Int(length)
    return WireReader(bytes, start..<position)
  }

  /// The text that comes next, or that this reader was made for.
  package func text(field: String) throws(DecodeError) -> String {
    guard let text = String(validating: bytes[position..<end], as: UTF8.self) else {
      throw .invalidUTF8(field: field)
    }
    return text
  }

  /// A reader of the group that `tag` has begun, up to its end tag, which is passed over.
  package mutating func group(_ tag: WireTag) throws(DecodeError) -> WireReader {
    let start = position
    while true {
      let inside = position
      guard let inner = try self.tag() else { throw .malformed }
      if inner.type == .endGroup {
        guard inner.number == tag.number else { throw .malformed }
        return WireReader(bytes, start..<inside)
      }
      try skip(inner)
    }
  }

  /// Passes over the value that follows `tag`.
  package mutating func skip(_ tag: WireTag) throws(DecodeError) {
    try skip(tag, depth: 0)
  }

  private mutating func skip(_ tag: WireTag, depth: Int) throws(DecodeError) {
    switch tag.type {
    case .varint: _ = try varint()
    case .fixed64: _ = try fixed64()
    case .fixed32: _ = try fixed32()
    case .lengthDelimited: _ = try lengthDelimited()
    case .endGroup: throw .malformed
    case .startGroup:
      guard depth < DecodeLimits.groups else { throw .tooDeep }
      while let inner = try self.tag() {
        if inner.type == .endGroup {
          guard inner.number == tag.number else { throw .malformed }
          return
        }
        try skip(inner, depth: depth + 1)
      }
      throw .malformed
    }
  }
}
