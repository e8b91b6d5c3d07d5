internal import Base

extension ServerCall {
  /// Starts the handler's task, at once and on this thread: a handler that does not wait is done when this returns.
  func start() {
    if server.wantsStages { started = server.clock.now() }
    let task = Task.immediate(executorPreference: executor) { await self.run() }
    if !state.hasEnded { self.task = task }
  }

  private func run() async {
    do {
      let reply =
        if let deadline {
          try await CurrentCall.$deadline.withValue(deadline) { try await intercept() }
        } else {
          try await intercept()
        }
      if let reply { self.reply(reply) } else { end() }
    } catch {
      end(failing: server.status(for: error, of: self))
    }
  }

  private func intercept() async throws -> EncodedMessage? {
    guard !server.enclosing.isEmpty else { return try await handle() }
    var reply: EncodedMessage?
    try await enclose(server.enclosing[...], &reply)
    return reply
  }

  private func enclose(
    _ interceptors: ArraySlice<any EnclosingServerInterceptor>, _ reply: inout EncodedMessage?
  ) async throws {
    if let first = interceptors.first {
      try await first.around(context) { try await enclose(interceptors.dropFirst(), &reply) }
    } else {
      reply = try await handle()
    }
  }

  private func handle() async throws -> EncodedMessage? {
    for interceptor in server.interceptors { try await interceptor.before(context) }
    if server.wantsStages { handling = server.clock.now() }
    switch route.handler {
    case .single(let handler):
      guard let request else { preconditionFailure("a handler starts when its request is there") }
      self.request = nil
      return try await handler(request, context)
    case .streamed(let handler): return try await handler(context)
    }
  }
}
