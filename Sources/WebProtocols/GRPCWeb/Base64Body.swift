internal import RPC

/// A body in base 64, as it comes: gRPC-Web's text mode. Padding may be anywhere between groups of four, as clients
/// encode each frame by itself.
struct Base64Body: RequestTranslator {
  /// The digits of an unfinished group, from the high end, and how many.
  private var group: UInt32 = 0
  private var digits = 0
  /// `=` seen in the unfinished group.
  private var padding = 0

  var heldBytes: Int { 0 }

  mutating func take(_ bytes: Span<UInt8>) throws(RPCError) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count / 4 * 3 + 3)
    for index in bytes.indices {
      let octet = bytes[index]
      if octet == UInt8(ascii: "=") {
        // One or two digits must be missing, and at least two be there.
        guard digits >= 2 else { throw Self.invalid }
        padding += 1
        group <<= 6
      } else {
        guard padding == 0, let value = Self.value(octet) else { throw Self.invalid }
        digits += 1
        group = group << 6 | value
      }
      if digits + padding == 4 { finishGroup(&output) }
    }
    return output
  }

  mutating func end() throws(RPCError) -> [UInt8] {
    guard digits == 0 else { throw Self.invalid }
    return []
  }

  private mutating func finishGroup(_ output: inout [UInt8]) {
    output.append(UInt8(truncatingIfNeeded: group >> 16))
    if padding < 2 { output.append(UInt8(truncatingIfNeeded: group >> 8)) }
    if padding < 1 { output.append(UInt8(truncatingIfNeeded: group)) }
    (group, digits, padding) = (0, 0, 0)
  }

  private static func value(_ octet: UInt8) -> UInt32? {
    switch octet {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(octet - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(octet - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(octet - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }

  private static let invalid = RPCError(.invalidArgument, "the body is not valid base 64")
}
