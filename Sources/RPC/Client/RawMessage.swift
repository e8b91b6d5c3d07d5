public import ProtobufRuntime

/// A message whose bytes nobody looks at: for callers that know methods only by name, and for proxies.
public struct RawMessage: Message {
  public static var fullName: String { "bytes" }

  /// The wire form.
  public var bytes: [UInt8]

  public init() { bytes = [] }

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public init(decoding bytes: RawSpan, limits: DecodeLimits) throws(DecodeError) {
    // The pointer is used inside the closure only; the standard library has no safe bulk copy from a span yet.
    self.bytes = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
  }

  public func encoded(headroom: Int) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: headroom)
    result.append(contentsOf: bytes)
    return result
  }

  public func validate(into violations: inout Violations) {}

  public var debugDescription: String { "\(bytes.count) bytes" }
}
