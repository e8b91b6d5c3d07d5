/// How a call fails: what a handler throws to choose the status, and what a caller catches.
///
/// The message is for developers and travels to the peer: it must hold nothing private.
public struct RPCError: Error, Sendable, Equatable {
  public var code: StatusCode
  public var message: String
  /// Messages of `google.rpc` (or any others) that travel in `grpc-status-details-bin`.
  public var details: [ErrorDetail]
  /// Further trailers: sent by a server, received by a client.
  public var trailers: Metadata

  /// - Parameter code: anything but `.ok`, which is no error.
  public init(
    _ code: StatusCode, _ message: String = "", details: [ErrorDetail] = [], trailers: Metadata = Metadata()
  ) {
    self.code = code
    self.message = message
    self.details = details
    self.trailers = trailers
  }
}

extension RPCError: CustomStringConvertible {
  public var description: String {
    message.isEmpty ? code.description : "\(code): \(message)"
  }
}

/// An error that knows the status it should become at the edge of the server.
public protocol RPCErrorConvertible: Error {
  var rpcError: RPCError { get }
}

/// One that the operator has to see to, such as a full disk: the client gets its status, and the server's log what it
/// comes from.
public protocol RPCFault: RPCErrorConvertible {
  /// What happened, in words for the log alone.
  var cause: any Error { get }
}

extension RPCError: RPCErrorConvertible {
  public var rpcError: RPCError { self }
}

extension RPCError {
  /// The error of a call whose stream ended irregularly, seen from the side that did not end it.
  init(_ closure: StreamClosure) {
    switch closure {
    case .reset(let code): self = RPCError(StatusCode(reset: code), Self.message(of: code))
    case .connectionLost(let why), .unsent(let why): self = RPCError(.unavailable, "the connection was lost: \(why)")
    case .refused: self = RPCError(.unavailable, "the peer did not take the request")
    case .unreachable(let why): self = RPCError(.unavailable, "no connection: \(why)")
    case .shutdown: self = RPCError(.unavailable, "this side is shutting down")
    }
  }

  /// PROTOCOL-HTTP2.md wants two of the codes explained.
  private static func message(of code: ResetCode) -> String {
    switch code {
    case .enhanceYourCalm: "the stream was reset (\(code)): the bandwidth is exhausted"
    case .inadequateSecurity:
      "the stream was reset (\(code)): permission denied, as the protocol is not secure enough for the call"
    default: "the stream was reset (\(code))"
    }
  }
}

extension RPCError {
  /// The peer has sent none or several messages where the method has one: as gRPC's statuscodes.md has it, this is not
  /// the method that it means.
  @usableFromInline
  static func wrongCardinality(_ message: String) -> RPCError { RPCError(.unimplemented, message) }
}
