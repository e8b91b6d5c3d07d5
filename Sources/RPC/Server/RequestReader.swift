public import ProtobufRuntime

/// The messages of a streaming request, in order.
///
/// At most as many bytes wait here as the transport's window allows; reading gives the client room for more. One task
/// may read at a time.
public struct RequestReader<Element: Message>: Sendable {
  let call: CallStream

  /// The next message, waiting for it; nil after the last.
  /// - Throws: `CancellationError` when the call is over; `RPCError` for a message that is too long, malformed or breaks
  ///   a rule of its proto. Let it pass to end the call with that status.
  public func next() async throws -> Element? {
    guard let message = try await call.next(Element.self) else { return nil }
    try message.requireValid()
    return message
  }
}
