/// The answer to a request whose header list is over a transport's limit, so that no core ever sees it.
///
/// An HTTP client reads the status. A gRPC client reads RESOURCE_EXHAUSTED, because a gRPC status goes before an HTTP
/// status (gRPC's http-grpc-status-mapping.md).
public enum OversizedHead {
  /// Request Header Fields Too Large (RFC 6585 §5).
  public static let status = 431

  /// The whole answer: there is no body.
  public static let headers: HeaderList = [
    "content-type": ContentType.grpc, "grpc-status": String(StatusCode.resourceExhausted.rawValue),
    "grpc-message": "the metadata is larger than the limit",
  ]
}
