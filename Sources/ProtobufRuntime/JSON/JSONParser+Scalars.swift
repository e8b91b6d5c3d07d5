internal import Base

extension JSONParser {
  /// The next value as a type other than message and enum.
  mutating func scalar(_ type: FieldType) throws(JSONFailure) -> WireValue {
    let token = try lexer.next()
    switch (type, token) {
    case (.bool, .true): return .varint(1)
    case (.bool, .false): return .varint(0)
    case (.string, .string(let text)): return .bytes(WireReader(Array(text.utf8)))
    case (.bytes, .string(let text)):
      guard let bytes = Base64.decodeLeniently(text) else { throw .value("not base 64") }
      return .bytes(WireReader(bytes))
    case (.bool, _), (.string, _), (.bytes, _):
      throw .value("a \(type.keyword) is expected, not \(token.name)")
    case (.double, .number(let number)): return .fixed64(try JSONNumber.floating(number, Double.self).bitPattern)
    case (.double, .string(let text)): return .fixed64(try JSONNumber.floating(text: text, Double.self).bitPattern)
    case (.float, .number(let number)): return .fixed32(try JSONNumber.floating(number, Float.self).bitPattern)
    case (.float, .string(let text)): return .fixed32(try JSONNumber.floating(text: text, Float.self).bitPattern)
    case (_, .number(let number)): return try integer(type, number)
    case (_, .string(let text)): return try integer(type, text: text)
    default:
      throw .value("a number is expected, not \(token.name)")
    }
  }

  /// A text, which may be anything, as one of the integer types.
  func integer(_ type: FieldType, text: String) throws(JSONFailure) -> WireValue {
    guard JSONNumber.isNumber(text) else { throw .value("a number is expected") }
    return try integer(type, text)
  }

  /// A number as one of the integer types.
  private func integer(_ type: FieldType, _ text: String) throws(JSONFailure) -> WireValue {
    switch type {
    case .int32: .varint(UInt64(bitPattern: Int64(try exact(text, Int32.self))))
    case .int64: .varint(UInt64(bitPattern: try exact(text, Int64.self)))
    case .uint32: .varint(UInt64(try exact(text, UInt32.self)))
    case .uint64: .varint(try exact(text, UInt64.self))
    case .sint32: .varint(zigzag(Int64(try exact(text, Int32.self))))
    case .sint64: .varint(zigzag(try exact(text, Int64.self)))
    case .fixed32: .fixed32(try exact(text, UInt32.self))
    case .sfixed32: .fixed32(UInt32(bitPattern: try exact(text, Int32.self)))
    case .fixed64: .fixed64(try exact(text, UInt64.self))
    case .sfixed64: .fixed64(UInt64(bitPattern: try exact(text, Int64.self)))
    default: preconditionFailure("\(type) is no integer")
    }
  }

  private func exact<Number: FixedWidthInteger>(_ text: String, _: Number.Type) throws(JSONFailure) -> Number {
    guard let value = JSONNumber.integer(text) else { throw .value("an integer is expected") }
    guard let number = Number(exactly: value) else {
      throw .value("the number is not from \(Number.min) to \(Number.max)")
    }
    return number
  }

  /// Small numbers of either sign become small numbers: for 32 bits the result is the same as with 32-bit zigzag.
  private func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }
}

/// Numbers in the grammar of JSON.
enum JSONNumber {
  /// Whether the whole text is a number in JSON's grammar.
  static func isNumber(_ text: String) -> Bool {
    var lexer = JSONLexer(Array(text.utf8))
    return (try? lexer.next()) == .number(text) && (try? lexer.next()) == .end
  }

  /// The exact value of a number such as `12`, `-1.0` or `1.5e3`; nil if it is no integer. What does not fit 128 bits
  /// comes back as a number that fits no 64-bit type either.
  static func integer(_ text: String) -> Int128? {
    // As most are written.
    if let value = Int64(text) { return Int128(value) }
    var digits: [UInt8] = []
    var scale = 0
    var isNegative = false
    var isFraction = false
    var exponent = Substring()
    scan: for (offset, byte) in text.utf8.enumerated() {
      switch byte {
      case UInt8(ascii: "-"): isNegative = true
      case UInt8(ascii: "."): isFraction = true
      case UInt8(ascii: "e"), UInt8(ascii: "E"):
        exponent = text.dropFirst(offset + 1)
        break scan
      default:
        digits.append(byte - UInt8(ascii: "0"))
        if isFraction { scale -= 1 }
      }
    }
    while digits.last == 0 {
      digits.removeLast()
      scale += 1
    }
    if digits.isEmpty { return 0 }
    if !exponent.isEmpty {
      // An exponent that Int cannot hold is beyond every type in either direction.
      guard let value = Int(exponent) else { return exponent.first == "-" ? nil : .max }
      let (sum, overflow) = scale.addingReportingOverflow(value)
      guard !overflow else { return value < 0 ? nil : .max }
      scale = sum
    }
    guard scale >= 0 else { return nil }
    let most64BitDigits = 20
    guard scale <= most64BitDigits, digits.drop(while: { $0 == 0 }).count + scale <= most64BitDigits else {
      return isNegative ? .min : .max
    }
    let magnitude = (digits + repeatElement(0, count: scale)).reduce(Int128(0)) { $0 * 10 + Int128($1) }
    return isNegative ? -magnitude : magnitude
  }

  /// The floating-point number nearest to a number.
  static func floating<Number: BinaryFloatingPoint & LosslessStringConvertible>(
    _ text: String, _: Number.Type
  ) throws(JSONFailure) -> Number {
    guard let value = Number(text) else { throw .value("a number is expected") }
    guard value.isFinite else { throw .value("the number is too large for a \(Number.self)") }
    return value
  }

  /// The same for a text, which may be anything; also of `NaN`, `Infinity` and `-Infinity`.
  static func floating<Number: BinaryFloatingPoint & LosslessStringConvertible>(
    text: String, _: Number.Type
  ) throws(JSONFailure) -> Number {
    switch text {
    case "NaN": return .nan
    case "Infinity": return .infinity
    case "-Infinity": return -.infinity
    default:
      guard isNumber(text) else { throw .value("a number is expected") }
      return try floating(text, Number.self)
    }
  }
}
