public import ProtobufRuntime

extension RPCError {
  public static let errorDomain = "octet"
  var encodedStatus: [UInt8] { [] }
  static func details(ofStatus bytes: [UInt8]) -> [ErrorDetail] { [] }
  static func invalid(_ violations: [FieldViolation]) -> RPCError { RPCError(.invalidArgument) }
  public func retryAfter(_ delay: Duration) -> RPCError { self }
}
