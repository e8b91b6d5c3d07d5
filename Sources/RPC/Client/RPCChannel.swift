public import Base
public import ProtobufRuntime

/// The client's side of a server: makes calls over a transport. Generated clients wrap it; `RawMessage` makes calls
/// without generated code.
///
/// ```swift
/// let channel = RPCChannel(transport: transport, authority: "localhost")
/// let reply = try await GreeterClient(channel).greet(request)
/// ```
public struct RPCChannel: Sendable {
  let transport: any ClientTransport
  let authority: String
  let scheme: String
  let userAgent: String
  let interceptors: [any ClientInterceptor]
  let observer: (any ClientCallObserver)?
  let decoding: DecodeLimits
  let clock: any WallClock
  let random: any RandomSource
  /// From the service config, if there is one.
  let methods: MethodConfigTable?
  /// Gives it instead, if the transport finds it out.
  let liveConfig: LiveServiceConfig?
  /// What all calls may hold to send it once more.
  let retryBuffers = RetryBufferBudget(limit: RPCLimits.retryBufferBytesPerChannel)

  /// - Parameters:
  ///   - authority: the host (and port) that calls name.
  ///   - scheme: `https` over TLS.
  ///   - interceptors: in the order in which a call passes them; `CallCredentials` is one.
  ///   - observer: hears of every call.
  ///   - serviceConfig: deadlines, waiting, retries and hedging of methods; nil takes that of the transport, if it has one
  ///     or finds one out.
  ///   - random: gives the jitter of retries.
  public init(
    transport: any ClientTransport, authority: String, scheme: String = "http",
    userAgent: String = "octet-rpc", interceptors: [any ClientInterceptor] = [],
    observer: (any ClientCallObserver)? = nil, serviceConfig: ServiceConfig? = nil,
    decoding: DecodeLimits = .default, clock: any WallClock = SystemClock(),
    random: any RandomSource = SystemRandomSource()
  ) {
    self.transport = transport
    self.authority = authority
    self.scheme = scheme
    self.userAgent = userAgent
    self.interceptors = interceptors
    self.observer = observer
    self.decoding = decoding
    self.clock = clock
    self.random = random
    liveConfig = serviceConfig == nil ? transport.liveServiceConfig : nil
    methods = liveConfig == nil ? (serviceConfig ?? transport.serviceConfig).map(MethodConfigTable.init) : nil
  }

  /// Calls a unary method. Cancelling the task cancels the call.
  /// - Throws: `RPCError`, whatever goes wrong.
  @inlinable
  public func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, as type: Response.Type = Response.self,
    options: CallOptions = CallOptions()
  ) async throws -> Response {
    let call = open(method, options)
    call.sendOnly(EncodedMessage(request))
    return try await call.soleResponse(type)
  }

  /// Calls a unary method, and gives the call rather than its answer: for its metadata, or to cancel it by hand.
  @inlinable
  public func unaryCall<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, as type: Response.Type = Response.self,
    options: CallOptions = CallOptions()
  ) -> UnaryCall<Response> {
    let call = open(method, options)
    call.sendOnly(EncodedMessage(request))
    return UnaryCall(call)
  }

  /// Calls a server-streaming method.
  @inlinable
  public func serverStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor, _ request: Request, as type: Response.Type = Response.self,
    options: CallOptions = CallOptions()
  ) -> ServerStreamingCall<Response> {
    let call = open(method, options)
    call.sendOnly(EncodedMessage(request))
    return ServerStreamingCall(call)
  }

  /// Calls a client-streaming method.
  @inlinable
  public func clientStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor, sending: Request.Type = Request.self, as type: Response.Type = Response.self,
    options: CallOptions = CallOptions()
  ) -> ClientStreamingCall<Request, Response> {
    ClientStreamingCall(open(method, options))
  }

  /// Calls a bidirectional method.
  @inlinable
  public func bidirectional<Request: Message, Response: Message>(
    _ method: MethodDescriptor, sending: Request.Type = Request.self, as type: Response.Type = Response.self,
    options: CallOptions = CallOptions()
  ) -> BidirectionalCall<Request, Response> {
    BidirectionalCall(open(method, options))
  }

  @usableFromInline
  func open(_ method: MethodDescriptor, _ options: CallOptions) -> ClientCall {
    var options = options
    let observation = observer?.began(method, &options)
    let call = ClientCall(self, method, options, observation)
    call.start(options)
    return call
  }
}
