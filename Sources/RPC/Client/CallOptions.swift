internal import Base

/// What one call asks for beyond its messages.
public struct CallOptions: Sendable {
  /// Metadata for the head of the request.
  public var metadata: Metadata
  /// How long the call may take, from when it is made; nil for no bound. A call made by a handler ends with the
  /// handler's own deadline in any case.
  public var timeout: Duration?
  /// The greatest length of a received message in bytes, compressed and decompressed.
  public var messageBytes: Int
  /// How the messages of the request are compressed. A server that does not know it answers UNIMPLEMENTED. Answers come
  /// compressed if the server likes.
  public var compression: MessageEncoding
  /// Whether the call waits, up to its deadline, for a connection, rather than fail with UNAVAILABLE while none can be
  /// made; nil leaves it to the channel's service config, and else it does not.
  public var waitForReady: Bool?
  /// Credentials of this call, besides those of the channel's interceptors.
  public var credentials: CallCredentials?

  public init(
    metadata: Metadata = Metadata(), timeout: Duration? = nil, messageBytes: Int = RPCLimits().messageBytes,
    compression: MessageEncoding = .identity, waitForReady: Bool? = nil, credentials: CallCredentials? = nil
  ) {
    self.metadata = metadata
    self.timeout = timeout
    self.messageBytes = messageBytes
    self.compression = compression
    self.waitForReady = waitForReady
    self.credentials = credentials
  }

  /// When the call must end.
  func deadline(_ now: Instant, atMost longest: Duration? = nil) -> Instant? {
    let own = (timeout.map { min($0, longest ?? $0) } ?? longest).map { now + $0 }
    guard let outer = CurrentCall.deadline else { return own }
    return own.map { min($0, outer) } ?? outer
  }
}

/// Sees calls on their way out and their answers on the way back: credentials, trace context, accounts.
///
/// A call with several attempts passes once, whatever it takes.
public protocol ClientInterceptor: Sendable {
  /// Whether the interceptor adds secrets: its calls fail with UNAUTHENTICATED over a transport that is not private,
  /// before it is asked.
  var requiresPrivacy: Bool { get }
  /// Runs before the request is sent; may change the metadata and everything else of the options, or refuse by throwing.
  func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws
  /// Called on the call's executor when the answer begins, before the first message; not if there is nothing but a
  /// status.
  func received(_ method: MethodDescriptor, initialMetadata: Metadata)
  /// Called once on the call's executor when the status is known.
  /// - Parameter trailingMetadata: what the server sent with the status; empty if the status is not the server's.
  func ended(_ method: MethodDescriptor, _ status: StatusCode, trailingMetadata: Metadata)
}

extension ClientInterceptor {
  public var requiresPrivacy: Bool { false }
  public func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {}
  public func received(_ method: MethodDescriptor, initialMetadata: Metadata) {}
  public func ended(_ method: MethodDescriptor, _ status: StatusCode, trailingMetadata: Metadata) {}
}

/// Gives calls their credentials: all calls of a channel as an interceptor, one call as an option.
///
/// They are refused over a connection that is not encrypted, where everybody on the way could read them. A Unix socket
/// and the in-process transport count as private.
public struct CallCredentials: ClientInterceptor {
  private let metadata: @Sendable (MethodDescriptor) async throws -> Metadata
  public let requiresPrivacy: Bool

  /// - Parameters:
  ///   - allowsCleartext: sends them over any connection; for a network that is private by other means.
  ///   - metadata: asked before every call, so that a token can be renewed in time.
  public init(
    allowsCleartext: Bool = false, _ metadata: @escaping @Sendable (MethodDescriptor) async throws -> Metadata
  ) {
    requiresPrivacy = !allowsCleartext
    self.metadata = metadata
  }

  public func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {
    options.metadata.add(contentsOf: try await metadata(method))
  }
}
