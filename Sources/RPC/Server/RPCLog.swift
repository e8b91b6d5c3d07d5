/// Where the server reports what no client may see.
public protocol RPCLog: Sendable {
  /// A handler threw an error that says nothing about a status; the client got INTERNAL and `id`.
  func unexpected(_ error: any Error, id: String, method: MethodDescriptor)

  /// A handler threw an `RPCFault` with this cause; the client got its status.
  func fault(_ cause: any Error, status: StatusCode, method: MethodDescriptor)
}

/// Drops everything.
public struct SilentRPCLog: RPCLog {
  public init() {}
  public func unexpected(_ error: any Error, id: String, method: MethodDescriptor) {}
  public func fault(_ cause: any Error, status: StatusCode, method: MethodDescriptor) {}
}
