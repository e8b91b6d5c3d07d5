public import Base
internal import Synchronization

/// The core of a server: gives each request of a transport to the handler that is registered for its path.
///
/// ```swift
/// var registry = ServiceRegistry()
/// Greeter().register(in: &registry)
/// let server = RPCServer(registry: registry)
/// // HTTP2Server(acceptor: server, …), InProcessTransport(acceptor: server)
/// ```
public final class RPCServer: RequestAcceptor {
  let registry: ServiceRegistry
  private let routes: RouteTable
  let interceptors: [InstalledInterceptor]
  let enclosing: [any EnclosingServerInterceptor]
  let limits: RPCLimits
  /// Nil if no call is refused for load.
  private let shedder: LoadShedder?
  let observer: (any CallObserver)?
  /// Whether there is an observer, which is quicker to ask.
  let isObserved: Bool
  /// Whether calls note when their stages began.
  let wantsStages: Bool
  private let clock: any WallClock
  /// Whether `clock` is the system's, which is quicker to ask than any.
  private let isSystemTime: Bool
  private let random: any RandomSource
  private let log: any RPCLog
  private let isDraining = Atomic(false)
  /// Bytes that all calls have gathered.
  let gathered = Atomic(0)

  /// - Parameters:
  ///   - interceptors: in the order in which a call passes them.
  ///   - observer: hears of every call.
  ///   - random: makes the ids that join an INTERNAL status to its line in the log.
  public init(
    registry: ServiceRegistry, interceptors: [any ServerInterceptor] = [], limits: RPCLimits = RPCLimits(),
    observer: (any CallObserver)? = nil,
    clock: any WallClock = SystemClock(), random: any RandomSource = SystemRandomSource(),
    log: any RPCLog = SilentRPCLog()
  ) {
    self.registry = registry
    routes = RouteTable(registry.routes.values)
    self.interceptors = interceptors.map { $0.installed }
    enclosing = interceptors.compactMap { $0 as? any EnclosingServerInterceptor }
    self.limits = limits
    shedder = limits.queueDelay.map { LoadShedder(target: $0, random: random) }
    self.observer = observer
    isObserved = observer != nil
    wantsStages = observer?.wantsStages ?? false
    self.clock = clock
    isSystemTime = clock is SystemClock
    self.random = random
    self.log = log
  }

  /// The time by the server's clock.
  func now() -> Instant { isSystemTime ? SystemClock().now() : clock.now() }

  /// Refuses new calls with UNAVAILABLE from now on; those under way go on. From any thread.
  public func beginDraining() {
    isDraining.store(true, ordering: .relaxed)
  }

  public func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    let fields = head.fields
    guard fields.isGRPC, head.method == "POST" else { return refuse(nonGRPC: head, on: stream) }
    guard let route = routes[head.path] else {
      return refuse(head, nil, on: stream, unknownMethod(head.path))
    }
    guard fields.encoding != nil else { return refuse(head, route, on: stream, Self.unknownEncoding) }
    guard !fields.hasMalformedTimeout else {
      return refuse(head, route, on: stream, RPCError(.invalidArgument, "grpc-timeout is malformed"))
    }
    guard !isDraining.load(ordering: .relaxed) else {
      return refuse(
        head, route, on: stream,
        RPCError(.unavailable, "the server is shutting down").retryAfter(RPCLimits.retryDelay))
    }
    let executor = stream.executor
    if let shedder, let error = shedder.refusal(of: route, on: executor) {
      return refuse(head, route, on: stream, error)
    }
    let call = ServerCall(
      self, route, head, fields, stream, executor)
    if !route.kind.hasSingleRequest { call.start() }
    return call
  }

  private func refuse(
    _ head: RequestHead, _ route: ServiceRegistry.Route?, on stream: any ServerStream, _ error: RPCError
  ) -> any ServerStreamHandler {
    for interceptor in interceptors { interceptor.refused(head, route?.method, peer: stream.peer, error) }
    observer?.refused(head, methodNumber: route?.number, error.code, peer: stream.peer)
    return RefusedRequest(stream, error)
  }

  private func refuse(nonGRPC head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    if head.method == "POST" {
      return RefusedRequest(stream, httpStatus: 415, "this server speaks gRPC: content-type must be application/grpc\n")
    }
    // The answer to HEAD has no body (RFC 9110 §9.3.2).
    let body = head.method == "HEAD" ? "" : "this server speaks gRPC: the method must be POST\n"
    return RefusedRequest(stream, httpStatus: 405, body, headers: ["allow": "POST"])
  }

  /// Names what is known, as the protocol asks.
  private static let unknownEncoding = RPCError(
    .unimplemented, "the message encoding is not supported",
    trailers: Metadata(received: ["grpc-accept-encoding": MessageEncoding.accepted]))

  private func unknownMethod(_ path: String) -> RPCError {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].isEmpty else { return RPCError(.unimplemented, "malformed method path") }
    return registry.hasService(parts[1])
      ? RPCError(.unimplemented, "unknown method \(parts[2]) of service \(parts[1])")
      : RPCError(.unimplemented, "unknown service \(parts[1])")
  }

  /// The status that an error of a handler or an interceptor becomes.
  func status(for error: any Error, of call: ServerCall) -> RPCError {
    switch error {
    case let error as RPCError: return error
    case let fault as any RPCFault:
      let error = fault.rpcError
      log.fault(fault.cause, status: error.code, method: call.route.method)
      return error
    case let error as any RPCErrorConvertible: return error.rpcError
    case is CancellationError: return RPCError(.cancelled, "the call was cancelled")
    default:
      let id = String(random.next(), radix: 16, width: 16)
      log.unexpected(error, id: id, method: call.route.method)
      return RPCError(.internal, "internal error \(id)")
    }
  }
}

/// A request that was answered when its head came: what follows is thrown away.
package final class RefusedRequest: ServerStreamHandler {
  private let stream: any ServerStream
  private var isClosed = false
  package let progress: CallProgress

  /// Answers with a gRPC status.
  package init(_ stream: any ServerStream, _ error: RPCError, httpStatus: Int = 200) {
    self.stream = stream
    progress = CallProgress(status: error.code)
    var headers = StatusHeaders.head
    headers.append(contentsOf: StatusHeaders.failure(error))
    stream.respond(status: httpStatus, headers: headers, endStream: true)
  }

  /// Answers in plain HTTP.
  package init(_ stream: any ServerStream, httpStatus: Int, _ body: String, headers: HeaderList = HeaderList()) {
    self.stream = stream
    progress = CallProgress(status: StatusCode(httpStatus: httpStatus))
    stream.respond(status: httpStatus, body, headers: headers)
  }

  package func receive(_ bytes: Span<UInt8>) {
    if !isClosed { stream.consumed(bytes.count) }
  }
  package func receiveEnd() {}
  package func drained() {}
  package func closed(_ reason: StreamClosure?) { isClosed = true }
}

extension ServerStream {
  /// Sends a whole answer in plain HTTP, whose body is a text for people, or none.
  func respond(status: Int, _ text: String, headers: HeaderList = HeaderList()) {
    guard !text.isEmpty else { return respond(status: status, headers: headers, endStream: true) }
    var headers = headers
    headers.append("content-type", "text/plain; charset=utf-8")
    headers.append("content-length", String(text.utf8.count))
    respond(status: status, headers: headers, endStream: false)
    write(Array(text.utf8))
    finish(trailers: nil)
  }
}
