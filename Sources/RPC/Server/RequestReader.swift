public import ProtobufRuntime

/// The messages of a streaming request, in order.
///
/// At most as many bytes wait here as the transport's window allows; reading gives the client room for more. One task
/// may read at a time.
public struct RequestReader<Element: Message>: Sendable {
  @usableFromInline let call: ServerCall
  /// What may hold the answer; known here, as messages may be read on any thread.
  @usableFromInline let hold: (any AnswerHold)?

  @usableFromInline
  init(_ context: ServerContext) {
    call = context.call
    hold = context.call.held?.hold
  }

  /// The next message, waiting for it; nil after the last.
  /// - Throws: `CancellationError` when the call is over; `RPCError` for a message that is too long, malformed or breaks
  ///   a rule of its proto. Let it pass to end the call with that status.
  @inlinable
  public func next() async throws -> Element? {
    guard let payload = try await call.nextPayload() else { return nil }
    let message = try Element(request: payload.span, limits: call.decodeLimits)
    hold?.read(message)
    return message
  }
}
