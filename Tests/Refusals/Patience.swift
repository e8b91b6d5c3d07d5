public import RPC

/// Hundreds of tests run side by side on a machine that has other things to do: no unary call has less than ten
/// minutes. Streams have no such deadline anyway.
public struct Patience: ClientInterceptor {
  public init() {}

  public func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {
    if method.kind == .unary { options.timeout = options.timeout ?? .seconds(600) }
  }
}
