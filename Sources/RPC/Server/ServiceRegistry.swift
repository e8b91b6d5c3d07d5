public import ProtobufRuntime

/// The methods that a server answers. Generated `register(in:)` functions fill it.
public struct ServiceRegistry: Sendable {
  /// What to do with a call of one method.
  final class Route: Sendable {
    let method: MethodDescriptor
    let handler: Handler
    /// The position in `methods`.
    let number: Int
    // What every call asks of its method, where it is found without a look at the descriptor.
    let kind: MethodKind
    let defaultDeadline: Duration?
    let longestDeadline: Duration?
    let messageBytes: Int?
    /// Whether the calls under way are bounded.
    let isBounded: Bool

    /// Whether the request is read before anything else happens, in a task that can wait.
    var mayBeRefusedLate: Bool {
      if case .single = handler { method.kind == .unary } else { false }
    }

    init(_ method: MethodDescriptor, _ handler: Handler, number: Int) {
      self.method = method
      self.handler = handler
      self.number = number
      kind = method.kind
      defaultDeadline = method.policy.defaultDeadline
      longestDeadline = method.policy.longestDeadline
      messageBytes = method.policy.messageBytes
      isBounded = method.policy.concurrentCalls != nil || method.policy.concurrentCallsPerCaller != nil
    }
  }

  /// A handler in terms of bytes. It returns the only message of an answer, or nil if the answer is a stream, whose
  /// messages it has written.
  @usableFromInline
  enum Handler: Sendable {
    /// For one request, given in wire form, and one answer, without waiting.
    case synchronous(@Sendable (Span<UInt8>, ServerContext) throws -> EncodedMessage)
    /// For one request, given in wire form.
    case single(@Sendable (ArraySlice<UInt8>, ServerContext) async throws -> EncodedMessage?)
    /// For a stream of requests.
    case streamed(@Sendable (ServerContext) async throws -> EncodedMessage?)
  }

  private(set) var routes: [String: Route] = [:]
  private var services: Set<String> = []

  public init() {}

  /// The full names of the services registered so far, sorted.
  public var serviceNames: [String] { services.sorted() }

  /// The methods registered so far, in the order of their registration.
  public private(set) var methods: [MethodDescriptor] = []

  /// Whether any method of the service is registered.
  func hasService(_ name: some StringProtocol) -> Bool { services.contains(String(name)) }

  /// Changes the policies of methods that are registered, for what their protos do not say or the operator knows
  /// better.
  ///
  /// ```swift
  /// registry.changePolicy(ofService: GreeterMethods.service) { $0.concurrentCalls = 100 }
  /// ```
  /// - Parameters:
  ///   - service: the full name.
  ///   - name: the method; nil for all of the service.
  public mutating func changePolicy(
    ofService service: String, method name: String? = nil, _ change: (inout MethodPolicy) -> Void
  ) {
    let found = methods.indices.filter { methods[$0].service == service && (name == nil || methods[$0].name == name) }
    precondition(!found.isEmpty, "\(service)/\(name ?? "*") is not registered")
    for number in found {
      let field = methods[number].policy.resourceField
      change(&methods[number].policy)
      // What reads the field was registered with the handler.
      methods[number].policy.resourceField = field
      let path = methods[number].path
      routes[path] = routes[path].map { Route(methods[number], $0.handler, number: number) }
    }
  }

  /// Registers a method that answers one message with one message.
  ///
  /// A closure that does not `await` is taken by the overload for such handlers, which costs less.
  @inlinable
  public mutating func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler: @escaping @Sendable (Request, ServerContext) async throws -> Response
  ) {
    add(
      method,
      .single { payload, context in
        let request = try context.read(payload, as: Request.self)
        if context.call.isRefused { try await context.admit(for: request) }
        return EncodedMessage(try await handler(request, context))
      })
  }

  /// Registers a method that answers one message with one message, without waiting.
  ///
  /// The handler runs at once where the request was received, without a task of its own, which makes a short call
  /// several times cheaper. It holds up everything else on its event loop, so it must be quick; and as it is in no
  /// task, `CurrentCall` is not set in it.
  @inlinable
  public mutating func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler: @escaping @Sendable (Request, ServerContext) throws -> Response
  ) {
    add(
      method,
      .synchronous { payload, context in
        let request = try context.note(Request(request: payload, limits: context.call.decodeLimits))
        return EncodedMessage(try handler(request, context))
      })
  }

  /// Registers a method whose policy names the field with the resource that it is about: the interceptors judge what is
  /// in it before the handler runs (`ServerInterceptor.judge(resource:_:)`).
  /// - Parameter resource: reads the field.
  @inlinable
  public mutating func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor, about resource: @escaping @Sendable (Request) -> String,
    _ handler: @escaping @Sendable (Request, ServerContext) async throws -> Response
  ) {
    add(
      method, isJudged: true,
      .single { payload, context in
        let request = try context.read(payload, as: Request.self)
        try await context.judge(resource: resource(request))
        if context.call.isRefused { try await context.admit(for: request) }
        return EncodedMessage(try await handler(request, context))
      })
  }

  /// Registers a method that answers one message with a stream, which ends when the handler returns, and whose policy
  /// names the field with the resource that it is about.
  @inlinable
  public mutating func serverStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor, about resource: @escaping @Sendable (Request) -> String,
    _ handler: @escaping @Sendable (Request, ResponseWriter<Response>, ServerContext) async throws -> Void
  ) {
    add(
      method, isJudged: true,
      .single { payload, context in
        let request = try context.note(Request(request: payload.span, limits: context.call.decodeLimits))
        try await context.judge(resource: resource(request))
        try await handler(request, ResponseWriter(context), context)
        return nil
      })
  }

  /// Registers a method that answers one message with a stream, which ends when the handler returns.
  @inlinable
  public mutating func serverStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler: @escaping @Sendable (Request, ResponseWriter<Response>, ServerContext) async throws -> Void
  ) {
    add(
      method,
      .single { payload, context in
        let request = try context.note(Request(request: payload.span, limits: context.call.decodeLimits))
        try await handler(request, ResponseWriter(context), context)
        return nil
      })
  }

  /// Registers a method that answers a stream with one message. It may answer before the stream has ended.
  @inlinable
  public mutating func clientStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler: @escaping @Sendable (RequestReader<Request>, ServerContext) async throws -> Response
  ) {
    add(
      method,
      .streamed { context in EncodedMessage(try await handler(RequestReader(context), context)) })
  }

  /// Registers a method that answers a stream with a stream, which ends when the handler returns.
  @inlinable
  public mutating func bidirectional<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler:
      @escaping @Sendable (RequestReader<Request>, ResponseWriter<Response>, ServerContext) async throws -> Void
  ) {
    add(
      method,
      .streamed { context in
        try await handler(RequestReader(context), ResponseWriter(context), context)
        return nil
      })
  }

  /// - Parameter isJudged: whether the handler has the resource judged that the policy's field names.
  @usableFromInline
  mutating func add(_ method: MethodDescriptor, isJudged: Bool = false, _ handler: Handler) {
    precondition(
      isJudged == (method.policy.resourceField != nil),
      "\(method.path): a method is registered with the resource that it is about if its policy names one, and only then"
    )
    if case .streamed = handler {
      precondition(!method.kind.hasSingleRequest, "\(method.path) takes one message")
    } else {
      precondition(method.kind.hasSingleRequest, "\(method.path) takes a stream")
    }
    let previous = routes.updateValue(Route(method, handler, number: methods.count), forKey: method.path)
    precondition(previous == nil, "\(method.path) is registered twice")
    methods.append(method)
    services.insert(method.service)
  }
}
