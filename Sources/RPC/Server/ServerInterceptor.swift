/// Work for every call, whatever its method: authentication, limits, metrics.
public protocol ServerInterceptor: Sendable {
  /// Runs in the call's task before the request is validated and handled, in the order of the interceptors. Throw to
  /// refuse the call.
  func before(_ context: ServerContext) async throws

  /// Tried first, outside of a task: does the work of `before` if that needs no waiting, and returns true; or does
  /// nothing and returns false, as the default does, to have `before` called. Throw to refuse the call.
  ///
  /// A call whose interceptors and handler never wait needs no task, which makes it several times cheaper; so an
  /// interceptor that has no `before`, or one that seldom waits, should implement this.
  func beforeSynchronously(_ context: ServerContext) throws -> Bool

  /// Of a method whose policy names a field with a resource: which one the request names. Runs when the request has been
  /// read and its fields checked, right before the handler. Throw to refuse the call.
  func judge(resource: String, _ context: ServerContext) async throws

  /// A request was refused at its head and became no call: the method is unknown, the timeout malformed, or the server
  /// is shutting down or overloaded. Neither `before` nor `ended` is called. On the stream's executor.
  /// - Parameter method: nil if there is no such method.
  func refused(_ head: RequestHead, _ method: MethodDescriptor?, peer: PeerInfo, _ error: RPCError)

  /// Called once on the call's executor when the status is decided, in the reverse order. A call that the client gave
  /// up ends with `.cancelled`. A call can end before `before` ran, when its request never becomes whole.
  func ended(_ context: ServerContext, _ status: StatusCode)
}

extension ServerInterceptor {
  public func before(_ context: ServerContext) async throws {}
  public func beforeSynchronously(_ context: ServerContext) throws -> Bool { false }
  public func judge(resource: String, _ context: ServerContext) async throws {}
  public func refused(_ head: RequestHead, _ method: MethodDescriptor?, peer: PeerInfo, _ error: RPCError) {}
  public func ended(_ context: ServerContext, _ status: StatusCode) {}
}

/// An interceptor that encloses the handler, to set task-local values, say. It costs more than the plain form.
public protocol EnclosingServerInterceptor: ServerInterceptor {
  /// Must call `body` once and pass on what it throws (or throw something else).
  func around(_ context: ServerContext, _ body: () async throws -> Void) async throws
}

/// An interceptor as a server holds it. A value of type `any ServerInterceptor` is copied out of an array before it is called,
/// at the price of two reference counts and some calls; this is called where it lies.
class InstalledInterceptor: @unchecked Sendable {
  // Unchecked because only its subclass can be stored in it, which holds a Sendable constant.

  func before(_ context: ServerContext) async throws {}
  func beforeSynchronously(_ context: ServerContext) throws -> Bool { false }
  func judge(resource: String, _ context: ServerContext) async throws {}
  func refused(_ head: RequestHead, _ method: MethodDescriptor?, peer: PeerInfo, _ error: RPCError) {}
  func ended(_ context: ServerContext, _ status: StatusCode) {}
}

private final class Installed<Interceptor: ServerInterceptor>: InstalledInterceptor, @unchecked Sendable {
  // Unchecked for the reason of its superclass.
  private let interceptor: Interceptor

  init(_ interceptor: Interceptor) {
    self.interceptor = interceptor
  }

  override func before(_ context: ServerContext) async throws { try await interceptor.before(context) }

  override func beforeSynchronously(_ context: ServerContext) throws -> Bool {
    try interceptor.beforeSynchronously(context)
  }

  override func judge(resource: String, _ context: ServerContext) async throws {
    try await interceptor.judge(resource: resource, context)
  }

  override func refused(_ head: RequestHead, _ method: MethodDescriptor?, peer: PeerInfo, _ error: RPCError) {
    interceptor.refused(head, method, peer: peer, error)
  }

  override func ended(_ context: ServerContext, _ status: StatusCode) { interceptor.ended(context, status) }
}

extension ServerInterceptor {
  var installed: InstalledInterceptor { Installed(self) }
}
