import GoogleRPC
public import RPC

extension ErrorMapping {
  /// The error as it goes over the wire: the status with ErrorInfo, and where they apply BadRequest, RetryInfo and
  /// QuotaFailure.
  public var rpcError: RPCError {
    var error = RPCError(code, reason: reason, message: message, metadata: metadata)
    if !violations.isEmpty { error = error.violations(violations) }
    if let retryAfter { error = error.retryAfter(retryAfter) }
    if code == .resourceExhausted {
      var violation = QuotaFailure.Violation()
      violation.subject = "caller"
      violation.description = reason
      var failure = QuotaFailure()
      failure.violations_ = [violation]
      error.details.append(ErrorDetail(failure))
    }
    return error
  }
}
