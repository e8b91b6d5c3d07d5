internal import ProtobufRuntime

/// A call whose request is exactly one message: unary and server streaming.
final class SingleRequestCall<Request: Message>: ServerCall, @unchecked Sendable {
  typealias Handler = @Sendable (Request, ServerCall) async throws -> Void

  private let handler: Handler
  /// What came; a malformed message is reported only after the interceptors, which may refuse the caller altogether.
  private var request: Result<Request, any Error>?

  init(_ setup: ServerCallSetup, _ handler: @escaping Handler) {
    self.handler = handler
    super.init(setup)
  }

  override func receive(_ bytes: Span<UInt8>) {
    guard !state.hasEnded else { return returnWindow(bytes.count) }
    if request == nil, let payload = deframer.soleMessage(in: bytes) {
      request = Result { try decode(Request.self, bytes.extracting(payload)) }
      returnWindow(bytes.count)
    } else {
      gather(bytes)
    }
  }

  /// Collects a message that comes in pieces. Its window is given back at once: the limit of a message bounds it.
  private func gather(_ bytes: Span<UInt8>) {
    deframer.append(bytes)
    returnWindow(bytes.count)
    do {
      if request == nil, case .message(let message) = try take(Request.self) { request = .success(message) }
      if request != nil, deframer.unreadCount > 0 {
        throw RPCError(.internal, "the method takes one request, and more have come")
      }
    } catch let error as RPCError where error.code == .invalidArgument {
      request = .failure(error)
    } catch {
      end(failing: server.status(for: error, of: self))
    }
  }

  override func receiveEnd() {
    guard !state.hasEnded else { return }
    endInput(.finished)
    if request == nil {
      request = Result {
        try deframer.finish()
        throw RPCError(.internal, "the method takes one request, and none has come")
      }
    }
    start()
  }

  override func handle() async throws {
    guard let request else { preconditionFailure("a handler starts when its request is there") }
    self.request = nil
    let message = try request.get()
    try message.requireValid()
    try await handler(message, self)
    end()
  }
}

/// A call whose request is a stream: client streaming and bidirectional.
final class StreamedRequestCall: ServerCall, @unchecked Sendable {
  typealias Handler = @Sendable (ServerCall) async throws -> Void

  private let handler: Handler

  init(_ setup: ServerCallSetup, _ handler: @escaping Handler) {
    self.handler = handler
    super.init(setup)
  }

  override func begin() { start() }

  override func handle() async throws {
    try await handler(self)
    end()
  }
}

extension Message {
  /// - Throws: INVALID_ARGUMENT with every field that breaks a rule of its proto.
  func requireValid() throws(RPCError) {
    let violations = violations()
    guard !violations.isEmpty else { return }
    throw RPCError.invalid(violations)
  }
}
