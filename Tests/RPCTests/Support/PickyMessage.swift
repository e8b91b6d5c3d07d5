import ProtobufRuntime

/// A message with rules: one octet, not 0xff (malformed), and not 0 (against the rules).
struct PickyMessage: Message {
  static var fullName: String { "test.Picky" }
  var value: UInt8 = 0

  init() {}
  init(decoding bytes: RawSpan, limits: DecodeLimits) throws(DecodeError) {
    guard bytes.byteCount == 1, bytes.unsafeLoad(as: UInt8.self) != 0xff else { throw .malformed }
    value = bytes.unsafeLoad(as: UInt8.self)
  }
  func encoded(headroom: Int) -> [UInt8] { Array(repeating: 0, count: headroom) + [value] }
  func validate(into violations: inout Violations) {
    if value == 0 {
      violations.add("value", "must not be 0")
      violations.add("other", "is missing", reason: "OTHER_MISSING")
    }
  }
  var debugDescription: String { "\(value)" }
}
