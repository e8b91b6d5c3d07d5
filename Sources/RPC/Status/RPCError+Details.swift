internal import GoogleRPC
public import ProtobufRuntime
internal import WellKnownTypes

extension RPCError {
  /// The `domain` of every `google.rpc.ErrorInfo` of this project.
  public static let errorDomain = "octet"

  /// An error with a `google.rpc.ErrorInfo`.
  /// - Parameters:
  ///   - reason: names the error for programs: `QUOTE_EXPIRED`.
  ///   - metadata: further facts about it, nothing private.
  public init(_ code: StatusCode, reason: String, message: String, metadata: [String: String] = [:]) {
    var info = ErrorInfo()
    info.reason = reason
    info.domain = Self.errorDomain
    info.metadata = metadata
    self.init(code, message, details: [ErrorDetail(info)])
  }

  /// The same error with a `google.rpc.RetryInfo`: the client may try again after `delay`.
  public func retryAfter(_ delay: Duration) -> RPCError {
    let (seconds, attoseconds) = delay.components
    var info = RetryInfo()
    info.retryDelay = ProtoDuration()
    info.retryDelay?.seconds = seconds
    info.retryDelay?.nanos = Int32(attoseconds / 1_000_000_000)
    return adding(ErrorDetail(info))
  }

  /// The same error with a `google.rpc.BadRequest` that lists every offending field, or as many as trailers can
  /// carry.
  public func violations(_ violations: [ProtobufRuntime.FieldViolation]) -> RPCError {
    var bad = BadRequest()
    var room = RPCLimits.violationsBytes
    let fitting = violations.prefix { violation in
      room -= violation.field.utf8.count + violation.description.utf8.count + (violation.reason?.utf8.count ?? 0)
      return room >= 0
    }
    bad.fieldViolations = fitting.map { violation in
      var result = BadRequest.FieldViolation()
      result.field = violation.field
      result.description = violation.description
      result.reason = violation.reason ?? ""
      return result
    }
    return adding(ErrorDetail(bad))
  }

  /// The same error with a `google.rpc.QuotaFailure`: it is the caller who has, or does, too much.
  /// - Parameter description: which quota, such as the error's reason.
  public func quotaOfCaller(_ description: String) -> RPCError {
    var violation = QuotaFailure.Violation()
    violation.subject = "caller"
    violation.description = description
    var failure = QuotaFailure()
    failure.violations_ = [violation]
    return adding(ErrorDetail(failure))
  }

  /// The same error with one more detail.
  public func adding(_ detail: ErrorDetail) -> RPCError {
    var result = self
    result.details.append(detail)
    return result
  }

  /// INVALID_ARGUMENT for a message that breaks rules of its proto. The reason is that of the first violation that
  /// has one.
  @usableFromInline
  static func invalid(_ violations: [ProtobufRuntime.FieldViolation]) -> RPCError {
    let shown = violations.prefix(RPCLimits.violationsInMessage).map { "\($0.field): \($0.description)" }
    let reason = violations.lazy.compactMap(\.reason).first ?? "INVALID_REQUEST"
    return RPCError(.invalidArgument, reason: reason, message: shown.joined(separator: "; "))
      .violations(violations)
  }
}

extension RPCError {
  /// The first detail of that type.
  public func detail<M: Message>(_ type: M.Type) -> M? {
    details.lazy.compactMap { $0.unpack(type) }.first
  }

  /// The `reason` of the `google.rpc.ErrorInfo`, if there is one.
  public var reason: String? { detail(ErrorInfo.self)?.reason }

  /// When the client may try again, if the server says so.
  public var retryDelay: Duration? {
    detail(RetryInfo.self)?.retryDelay.map { .seconds($0.seconds) + .nanoseconds(Int64($0.nanos)) }
  }

  /// The fields of the `google.rpc.BadRequest`, if there is one.
  public var fieldViolations: [ProtobufRuntime.FieldViolation] {
    (detail(BadRequest.self)?.fieldViolations ?? []).map {
      FieldViolation(
        field: $0.field, description: $0.description, reason: $0.reason.isEmpty ? nil : $0.reason)
    }
  }

  /// The `google.rpc.Status` that `grpc-status-details-bin` carries.
  var encodedStatus: [UInt8] {
    var status = Status()
    status.code = Int32(code.rawValue)
    status.message = message
    status.details = details.map { detail in
      var any = ProtoAny()
      any.typeURL = detail.typeURL
      any.value = detail.value
      return any
    }
    return status.encoded()
  }

  /// The details in a `google.rpc.Status`; none if it is malformed.
  static func details(ofStatus bytes: [UInt8]) -> [ErrorDetail] {
    ((try? Status(decoding: bytes))?.details ?? []).map { ErrorDetail(typeURL: $0.typeURL, value: $0.value) }
  }
}
