internal import Base

/// How a call gets its stream: after the interceptors, and perhaps more than once.
extension ClientCall {
  /// Sends the head, once the interceptors have had their say.
  func start(_ options: CallOptions) {
    if channel.interceptors.isEmpty, options.credentials == nil {
      onExecutor { $0.open(options) }
      return
    }
    Task(executorPreference: executor) {
      do {
        self.open(try await self.intercepted(options))
      } catch {
        self.over(trailers: HeaderList(), Self.callError(error))
      }
    }
    if let deadline { onExecutor { $0.armTimer(deadline) } }
  }

  private func intercepted(_ options: CallOptions) async throws -> CallOptions {
    var options = options
    for interceptor in channel.interceptors {
      try checkPrivacy(interceptor)
      try await interceptor.before(method, &options)
    }
    if let credentials = options.credentials {
      try checkPrivacy(credentials)
      try await credentials.before(method, &options)
    }
    return options
  }

  /// What reads a secret into the metadata must not be asked for it when it would go over the wire in the clear.
  private func checkPrivacy(_ interceptor: any ClientInterceptor) throws {
    if interceptor.requiresPrivacy, !channel.transport.isPrivate {
      throw RPCError(.unauthenticated, "credentials are not sent over a connection that is not encrypted")
    }
  }

  private func open(_ options: CallOptions) {
    guard outcome == nil else { return }
    if let began = awaitsConfigSince, let live = channel.liveConfig {
      return awaitConfig(live, since: began, options)
    }
    outboundEncoding = options.compression
    request = (options.metadata.headers, options.waitForReady ?? methodConfig?.config.waitForReady ?? false)
    // An interceptor may have shortened it.
    if let timeout = options.timeout {
      let end = channel.clock.now() + timeout
      if deadline.map({ end < $0 }) ?? true {
        deadline = end
        timer?.cancel()
        timer = nil
      }
    }
    if let deadline { armTimer(deadline) }
    openStream()
  }

  /// Opens the stream when the transport knows how.
  private func awaitConfig(_ live: LiveServiceConfig, since began: Instant, _ options: CallOptions) {
    if let deadline { armTimer(deadline) }
    let isWaiting = live.whenKnown { table in
      self.onExecutor { call in
        call.take(table, since: began)
        call.open(options)
      }
    }
    guard isWaiting else {
      return over(trailers: HeaderList(), RPCError(.unavailable, "too many calls wait for the service config"))
    }
    if outcome == nil, awaitsConfigSince != nil { channel.transport.prepare(on: executor) }
  }

  /// The service config is known: what was said before must fit it.
  private func take(_ table: MethodConfigTable?, since began: Instant) {
    awaitsConfigSince = nil
    methods = table
    methodConfig = table?.entry(method)
    guard outcome == nil, let config = methodConfig?.config else { return }
    if let end = config.timeout.map({ began + $0 }), deadline.map({ end < $0 }) ?? true {
      deadline = end
      timer?.cancel()
      timer = nil
    }
    if let most = config.maxResponseMessageBytes, most < deframer.limit { deframer = MessageDeframer(limit: most) }
    if let error = pending.lazy.compactMap({ self.lengthError($0.bytes) }).first { over(trailers: HeaderList(), error) }
  }

  private func openStream() {
    guard outcome == nil else { return }
    if let policy = methodConfig?.config.attempts, let table = methods {
      let retrying = RetryingStream(self, policy, table, random: channel.random)
      replay.forget()
      stream = retrying
      retrying.start()
    } else {
      stream = openAttempt(previous: 0, handler: self)
    }
    guard outcome == nil, let stream else { return }
    for message in pending { put(message.bytes, message.compress, on: stream) }
    pending = []
    if hasFinished { stream.finish() }
    if stream.hasRoom { wakeWriters() }
  }

  /// Sends the head of the request to a server, with the time that is left.
  /// - Parameter previous: how many attempts came before.
  /// - Returns: nil if no time is left; the call is over then.
  func openAttempt(previous: Int, handler: any ClientStreamHandler) -> (any ClientStream)? {
    var headers: HeaderList = ["te": "trailers", "content-type": ContentType.grpc]
    headers.append("user-agent", channel.userAgent)
    headers.append("grpc-accept-encoding", MessageEncoding.accepted)
    if outboundEncoding != .identity { headers.append("grpc-encoding", outboundEncoding.rawValue) }
    if let deadline {
      let left = deadline - channel.clock.now()
      guard left > .zero else {
        deadlineExceeded()
        return nil
      }
      headers.append("grpc-timeout", TimeoutHeader.format(left))
    }
    if previous > 0 { headers.append("grpc-previous-rpc-attempts", String(previous)) }
    headers.append(contentsOf: request.metadata)
    let head = RequestHead(
      method: "POST", path: method.path, scheme: channel.scheme, authority: channel.authority, headers: headers)
    return channel.transport.open(head, waitsForReady: request.waitsForReady, on: executor, handler: handler)
  }

  private func armTimer(_ deadline: Instant) {
    guard timer == nil, outcome == nil else { return }
    timer = executor.schedule(after: max(deadline - channel.clock.now(), .zero)) { self.deadlineExceeded() }
  }

  /// Sends a request once more if it ended so that no server has seen it, and is still at hand.
  /// - Returns: whether it will be sent.
  func retryUnseen(_ reason: StreamClosure) -> Bool {
    guard outcome == nil, unseen.maySendAgain(after: reason), let sent = replay.take() else { return false }
    stream = nil
    // Later: the transport is in the middle of closing.
    executor.execute {
      guard self.outcome == nil else { return }
      // What was written meanwhile comes after it.
      self.pending.insert(contentsOf: sent.map { ($0, false) }, at: 0)
      self.counts.messagesSent -= sent.count
      for bytes in sent { self.counts.bytesSent -= bytes.count }
      self.openStream()
    }
    return true
  }
}
