public import ProtobufRuntime
public import RPC

/// What the errors of a domain implement: small enums, each case of which has one row in one table.
///
///     enum RideError: DomainError {
///       case quoteExpired
///
///       var mapping: ErrorMapping {
///         switch self {
///         case .quoteExpired: ErrorMapping("QUOTE_EXPIRED", "the quote has expired; ask for a new one")
///         }
///       }
///     }
///
/// Handlers throw the case; the RPC edge turns it into a status with `google.rpc.ErrorInfo`. A golden test of each
/// domain holds its table.
public protocol DomainError: RPCErrorConvertible, Equatable {
  /// The row of this case.
  var mapping: ErrorMapping { get }
}

extension DomainError {
  public var rpcError: RPCError { mapping.rpcError }
}

/// How an error is told to a client.
public struct ErrorMapping: Sendable, Equatable {
  /// The stable, machine-readable reason, such as `QUOTE_EXPIRED`.
  public var reason: String
  /// The status. A reason that the domain's page names without a code is FAILED_PRECONDITION.
  public var code: StatusCode
  /// One sentence for people. It repeats nothing secret and no text of the client's.
  public var message: String
  /// What a program needs beside the reason, such as the present state.
  public var metadata: [String: String]
  /// After what time a repeat can succeed; sent as `RetryInfo`.
  public var retryAfter: Duration?
  /// The fields that are at fault; sent as `BadRequest`.
  public var violations: [FieldViolation]

  public init(
    _ reason: String, _ code: StatusCode, _ message: String, metadata: [String: String] = [:],
    retryAfter: Duration? = nil, violations: [FieldViolation] = []
  ) {
    self.reason = reason
    self.code = code
    self.message = message
    self.metadata = metadata
    self.retryAfter = retryAfter
    self.violations = violations
  }

  /// A reason that the domain's page names without a code: FAILED_PRECONDITION.
  public init(
    _ reason: String, _ message: String, metadata: [String: String] = [:], retryAfter: Duration? = nil
  ) {
    self.init(reason, .failedPrecondition, message, metadata: metadata, retryAfter: retryAfter)
  }
}
