public import ProtobufRuntime

/// The methods that a server answers. Generated `register(in:)` functions fill it.
public struct ServiceRegistry: Sendable {
  struct Route: Sendable {
    let method: MethodDescriptor
    let makeCall: @Sendable (ServerCallSetup) -> ServerCall
  }

  private(set) var routes: [String: Route] = [:]
  private var services: Set<String> = []

  public init() {}

  /// The full names of the services registered so far, sorted.
  public var serviceNames: [String] { services.sorted() }

  /// The methods registered so far, sorted by path.
  public var methods: [MethodDescriptor] { routes.values.map(\.method).sorted { $0.path < $1.path } }

  /// Whether any method of the service is registered.
  func hasService(_ name: some StringProtocol) -> Bool { services.contains(String(name)) }

  /// Registers a method that answers one message with one message.
  public mutating func unary<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler: @escaping @Sendable (Request, ServerContext) async throws -> Response
  ) {
    add(method) { setup in
      SingleRequestCall<Request>(setup) { request, call in
        call.reply(EncodedMessage(try await handler(request, call.context)))
      }
    }
  }

  /// Registers a method that answers one message with a stream, which ends when the handler returns.
  public mutating func serverStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler: @escaping @Sendable (Request, ResponseWriter<Response>, ServerContext) async throws -> Void
  ) {
    add(method) { setup in
      SingleRequestCall<Request>(setup) { request, call in
        try await handler(request, ResponseWriter(call: call), call.context)
      }
    }
  }

  /// Registers a method that answers a stream with one message. It may answer before the stream has ended.
  public mutating func clientStreaming<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler: @escaping @Sendable (RequestReader<Request>, ServerContext) async throws -> Response
  ) {
    add(method) { setup in
      StreamedRequestCall(setup) { call in
        call.reply(EncodedMessage(try await handler(RequestReader(call: call), call.context)))
      }
    }
  }

  /// Registers a method that answers a stream with a stream, which ends when the handler returns.
  public mutating func bidirectional<Request: Message, Response: Message>(
    _ method: MethodDescriptor,
    _ handler:
      @escaping @Sendable (RequestReader<Request>, ResponseWriter<Response>, ServerContext) async throws -> Void
  ) {
    add(method) { setup in
      StreamedRequestCall(setup) { call in
        try await handler(RequestReader(call: call), ResponseWriter(call: call), call.context)
      }
    }
  }

  private mutating func add(
    _ method: MethodDescriptor, _ makeCall: @escaping @Sendable (ServerCallSetup) -> ServerCall
  ) {
    let previous = routes.updateValue(Route(method: method, makeCall: makeCall), forKey: method.path)
    precondition(previous == nil, "\(method.path) is registered twice")
    services.insert(method.service)
  }
}
