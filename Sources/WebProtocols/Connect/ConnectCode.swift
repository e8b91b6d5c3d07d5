internal import RPC

extension StatusCode {
  /// The name in Connect's errors.
  var connectName: String {
    // Connect spells one name in another way than gRPC.
    self == .cancelled ? "canceled" : description.lowercased()
  }

  /// The HTTP status of a unary Connect answer with this outcome.
  var connectHTTPStatus: Int {
    switch self {
    case .ok: 200
    case .cancelled: 499
    case .unknown, .internal, .dataLoss: 500
    case .invalidArgument, .failedPrecondition, .outOfRange: 400
    case .deadlineExceeded: 504
    case .notFound: 404
    case .alreadyExists, .aborted: 409
    case .permissionDenied: 403
    case .resourceExhausted: 429
    case .unimplemented: 501
    case .unavailable: 503
    case .unauthenticated: 401
    }
  }
}
