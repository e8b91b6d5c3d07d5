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

  public init(
    metadata: Metadata = Metadata(), timeout: Duration? = nil, messageBytes: Int = RPCLimits().messageBytes,
    compression: MessageEncoding = .identity
  ) {
    self.metadata = metadata
    self.timeout = timeout
    self.messageBytes = messageBytes
    self.compression = compression
  }

  /// When the call must end.
  func deadline(_ now: Instant) -> Instant? {
    let own = timeout.map { now + $0 }
    guard let outer = CurrentCall.deadline else { return own }
    return own.map { min($0, outer) } ?? outer
  }
}

/// Changes calls on their way out: credentials, trace context.
public protocol ClientInterceptor: Sendable {
  /// Runs before the request is sent; may add metadata, shorten the deadline or refuse by throwing.
  func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws
  /// Called once on the call's executor when the status is known.
  func ended(_ method: MethodDescriptor, _ status: StatusCode)
}

extension ClientInterceptor {
  public func ended(_ method: MethodDescriptor, _ status: StatusCode) {}
}

/// Gives each call its credentials.
public struct CallCredentials: ClientInterceptor {
  private let metadata: @Sendable (MethodDescriptor) async throws -> Metadata

  /// - Parameter metadata: asked before every call, so that a token can be renewed in time.
  public init(_ metadata: @escaping @Sendable (MethodDescriptor) async throws -> Metadata) {
    self.metadata = metadata
  }

  public func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {
    options.metadata.add(contentsOf: try await metadata(method))
  }
}
