/// The answer to a request whose header list is over a transport's limit, so that no acceptor ever sees it.
public enum OversizedHead {
  /// Request Header Fields Too Large (RFC 6585 §5).
  public static let status = 431

  private static let error = RPCError(.resourceExhausted, "the metadata is larger than the limit")

  /// Answers at once. An HTTP client reads the status, people read the text; a gRPC client reads RESOURCE_EXHAUSTED,
  /// because a gRPC status goes before an HTTP status (gRPC's http-grpc-status-mapping.md).
  /// - Parameter head: what is left of it; among that its `content-type`, if it had one.
  public static func refuse(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    if head.fields.isGRPC { return RefusedRequest(stream, error, httpStatus: status) }
    // The answer to HEAD has no body (RFC 9110 §9.3.2).
    let text = head.method == "HEAD" ? "" : "the header fields are larger than the limit\n"
    return RefusedRequest(stream, httpStatus: status, text)
  }
}
