public import RPC

extension ErrorMapping {
  /// The error as it goes over the wire: the status with ErrorInfo, and where they apply BadRequest, RetryInfo and
  /// QuotaFailure.
  public var rpcError: RPCError {
    var error = RPCError(code, reason: reason, message: message, metadata: metadata)
    if !violations.isEmpty { error = error.violations(violations) }
    if let retryAfter { error = error.retryAfter(retryAfter) }
    return code == .resourceExhausted ? error.quotaOfCaller(reason) : error
  }
}
