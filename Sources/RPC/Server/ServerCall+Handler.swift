internal import Base

extension ServerCall {
  typealias SynchronousHandler = @Sendable (Span<UInt8>, ServerContext) throws -> EncodedMessage

  /// Starts the interceptors and the handler, at once and on this thread. Those that do not wait are done when this
  /// returns, without a task; what is left runs in one.
  func start() {
    guard let passed = passInterceptors() else { return }
    if case .synchronous(let handler) = route.handler, passed == server.interceptors.count, !mustAwaitTurn, !mayBeHeld {
      do {
        let request = try takeRequest()
        answer(request.span, handler)
      } catch {
        end(failing: server.status(for: error, of: self))
      }
    } else {
      startTask(after: passed)
    }
  }

  /// The same for a request whose only bytes are on loan: they are copied if somebody has to wait.
  func start(_ bytes: Span<UInt8>, _ message: Range<Int>, _ handler: SynchronousHandler) {
    guard let passed = passInterceptors() else { return }
    if passed == server.interceptors.count, !mayBeHeld {
      answer(bytes.extracting(message), handler)
    } else {
      if keepRequest(bytes, message) { startTask(after: passed) }
    }
  }

  private func answer(_ request: Span<UInt8>, _ handler: SynchronousHandler) {
    do {
      if server.wantsStages { handling = server.now() }
      reply(try handler(request, context))
    } catch {
      end(failing: server.status(for: error, of: self))
    }
  }

  /// Runs the interceptors up to the first that has to wait.
  /// - Returns: how many have passed; nil if one has refused the call.
  private func passInterceptors() -> Int? {
    if server.wantsStages { started = server.now() }
    // What encloses the handler encloses the other interceptors too.
    guard server.enclosing.isEmpty else { return 0 }
    var passed = 0
    do {
      while passed < server.interceptors.count, try server.interceptors[passed].beforeSynchronously(context) {
        passed += 1
      }
      return passed
    } catch {
      refuse(error)
      return nil
    }
  }

  /// Ends a call that an interceptor has refused.
  private func refuse(_ error: any Error) {
    if mayBeHeld {
      Task.immediate(executorPreference: executor) { await self.settle(failing: error) }
    } else {
      end(failing: server.status(for: error, of: self))
    }
  }

  private func startTask(after passed: Int) {
    let task = Task.immediate(executorPreference: executor) { await self.run(after: passed) }
    if !state.hasEnded { self.task = task }
  }

  @inline(__always)
  private func run(after passed: Int) async {
    do {
      let reply =
        if let deadline {
          try await CurrentCall.$deadline.withValue(deadline) { try await intercept(after: passed) }
        } else {
          try await intercept(after: passed)
        }
      if isHeld { try await release() }
      if let reply { self.reply(reply) } else { end() }
    } catch {
      if mayBeHeld { await settle(failing: error) } else { end(failing: server.status(for: error, of: self)) }
    }
  }

  @inline(__always)
  private func intercept(after passed: Int) async throws -> EncodedMessage? {
    guard !server.enclosing.isEmpty else { return try await handle(after: passed) }
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
      reply = try await handle(after: 0)
    }
  }

  @inline(__always)
  private func handle(after passed: Int) async throws -> EncodedMessage? {
    for interceptor in server.interceptors.dropFirst(passed) where try !interceptor.beforeSynchronously(context) {
      try await interceptor.before(context)
    }
    if server.wantsStages { handling = server.now() }
    if mustAwaitTurn, let turns = executor.inflating { try await inflateInTurn(turns) }
    switch route.handler {
    case .synchronous(let handler):
      let request = try takeRequest()
      return try handler(request.span, context)
    case .single(let handler): return try await handler(try takeRequest(), context)
    case .streamed(let handler): return try await handler(context)
    }
  }

  /// Whether the request is to be decompressed, and others come first.
  private var mustAwaitTurn: Bool {
    guard compressedRequest != nil, let turns = executor.inflating else { return false }
    return !turns.mayGoOn
  }

  // Not inline: what it needs would be part of every call's task.
  @inline(never)
  private func inflateInTurn(_ turns: InflateTurns) async throws {
    await awaitTurn(turns) {
      guard let frame = self.compressedRequest else { return }
      self.compressedRequest = nil
      do { try self.decompressRequest(frame) } catch { self.inflateFailure = error }
    }
    if let inflateFailure { throw inflateFailure }
    // Nobody wants the message of a call that has ended.
    if state.hasEnded { throw CancellationError() }
  }

  /// The only message of the request. One that came compressed is decompressed here: nobody whom an interceptor refuses
  /// can have that work done.
  private func takeRequest() throws -> ArraySlice<UInt8> {
    if let compressedRequest { try decompressRequest(compressedRequest) }
    guard let request else { preconditionFailure("a handler starts when its request is there") }
    self.request = nil
    return request
  }
}
