import Base
public import ProtobufRuntime
public import RPC
public import Storage
public import Streaming

/// What a watch makes of one event of its topic.
public enum WatchStep<Response: Message>: Sendable {
  /// Sends a message of this reader's own.
  case send(Response)
  /// Sends a message that all readers share.
  case share(EncodedMessage)
  /// Sends nothing: the event is not for this reader.
  case skip
  /// Sends the last message; the stream ends with OK.
  case finish(Response)
}

extension Kit {
  /// Runs a watch: a snapshot, then every event of a lossless topic, none lost and none twice. Returns when `step` says
  /// that the stream is over.
  ///
  /// A client that comes back with the token of the last response that it dealt with gets no snapshot but what followed.
  /// While nothing happens, heartbeats keep the stream alive. The caller is judged again with each event and each beat:
  /// nothing is sent to an ended session, or to whoever has lost a role of the method's.
  ///
  /// - Parameters:
  ///   - resumeToken: the client's last one; empty for a new watch.
  ///   - snapshot: reads the present state, in the transaction that sees how far the topic is. It also judges whether
  ///     the caller may see it, and runs for resumed watches too.
  ///   - over: what the stream loses sight of without an event of its topic; nil for nothing.
  ///   - isOver: whether the topic will say nothing more after this state; a client that has seen all of it is not kept
  ///     waiting.
  ///   - first: the response for a snapshot, which the token stands for.
  ///   - heartbeat: the response that says only that the server is alive.
  ///   - step: what to do with an event. The token stands for the event.
  /// - Throws: what the closures throw; `KitError.badResumeToken`, `.resumeTokenTooOld`, `.slowReader`, and those of
  ///   `judgeAgain`.
  public func watch<Response: Message, Snapshot: Sendable>(
    _ topic: Topic, resumeToken: String, _ responses: ResponseWriter<Response>, _ context: ServerContext,
    snapshot: @escaping @Sendable (any Reader) throws -> Snapshot, over: (Snapshot) -> Sight? = { _ in nil },
    isOver: (Snapshot) -> Bool = { _ in false },
    first: (Snapshot, _ token: String) throws -> WatchStep<Response>,
    heartbeat: @escaping @Sendable () -> Response,
    step: (TopicEvent, _ token: String) async throws -> WatchStep<Response>
  ) async throws {
    try await follow(
      topic, resumeToken: resumeToken, responses, context, snapshot: snapshot, over: over, isOver: isOver, first: first,
      heartbeat: heartbeat, step: step)
  }

  /// The same for events that are judged, or completed, by what the database says when they are sent: who may see them,
  /// and texts that no event may hold as they must be erased with their author.
  /// - Parameters:
  ///   - read: reads what is needed for an event, in a transaction of its own that sees the event's. What it throws ends
  ///     the stream.
  ///   - step: what to do with an event and what was read for it.
  public func watch<Response: Message, Snapshot: Sendable, Content: Sendable>(
    _ topic: Topic, resumeToken: String, _ responses: ResponseWriter<Response>, _ context: ServerContext,
    snapshot: @escaping @Sendable (any Reader) throws -> Snapshot, over: (Snapshot) -> Sight? = { _ in nil },
    isOver: (Snapshot) -> Bool = { _ in false },
    first: (Snapshot, _ token: String) throws -> WatchStep<Response>,
    heartbeat: @escaping @Sendable () -> Response,
    read: @escaping @Sendable (TopicEvent, any Reader) throws -> Content,
    step: (Content, _ token: String) throws -> WatchStep<Response>
  ) async throws {
    try await follow(
      topic, resumeToken: resumeToken, responses, context, snapshot: snapshot, over: over, isOver: isOver, first: first,
      heartbeat: heartbeat,
      step: { event, token in try step(try await database.read { try read(event, $0) }, token) })
  }

  private func follow<Response: Message, Snapshot: Sendable>(
    _ topic: Topic, resumeToken: String, _ responses: ResponseWriter<Response>, _ context: ServerContext,
    snapshot: @escaping @Sendable (any Reader) throws -> Snapshot, over: (Snapshot) -> Sight?,
    isOver: (Snapshot) -> Bool,
    first: (Snapshot, _ token: String) throws -> WatchStep<Response>,
    heartbeat: @escaping @Sendable () -> Response,
    step: (TopicEvent, _ token: String) async throws -> WatchStep<Response>
  ) async throws {
    do {
      let heart = Heart(self, context, responses.sink, beat: heartbeat)
      defer { heart.stop() }
      let (state, token, live) = try await hub.watch(topic, snapshot: snapshot)
      var subscription = live
      if resumeToken.isEmpty {
        guard try await perform(first(state, token), responses, heart) else { return }
      } else if resumeToken != token {
        subscription = try await hub.resume(topic, token: resumeToken)
      } else if isOver(state) {
        return
      }
      heart.start(over: over(state))
      while true {
        let event = try await subscription.next()
        try await judgeAgain(context)
        guard try await perform(try await step(event, hub.tokens.make(topic, event)), responses, heart) else { return }
      }
    } catch let error as TopicError {
      throw KitError(error)
    }
  }

  /// Returns whether the stream goes on.
  private func perform<Response: Message>(
    _ step: WatchStep<Response>, _ responses: ResponseWriter<Response>, _ heart: Heart<Response>
  ) async throws -> Bool {
    switch step {
    case .send(let response): try await responses.write(response)
    case .share(let message): try await responses.write(encoded: message)
    case .skip: return true
    case .finish(let response):
      try await responses.write(response)
      return false
    }
    heart.wasHeard()
    return true
  }
}

extension KitError {
  /// What the end of a subscription tells its client.
  public init(_ error: TopicError) {
    switch error {
    case .invalidResumeToken: self = .badResumeToken
    case .resumeTokenTooOld: self = .resumeTokenTooOld
    case .slowReader(let token): self = .slowReader(resumeToken: token)
    case .closed: self = .overloaded
    }
  }
}
