/// Where the server reports what no client may see.
public protocol RPCLog: Sendable {
  /// A handler threw an error that says nothing about a status; the client got INTERNAL and `id`.
  func unexpected(_ error: any Error, id: String, method: MethodDescriptor)
}

/// Drops everything.
public struct SilentRPCLog: RPCLog {
  public init() {}
  public func unexpected(_ error: any Error, id: String, method: MethodDescriptor) {}
}
