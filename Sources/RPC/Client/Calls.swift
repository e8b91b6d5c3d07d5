public import ProtobufRuntime
internal import Synchronization

/// Keeps a call alive: when the last part of it that the caller holds goes, the call is cancelled.
@usableFromInline
final class ClientCallHandle: Sendable {
  @usableFromInline let call: ClientCall

  @usableFromInline
  init(_ call: ClientCall) {
    self.call = call
  }

  deinit {
    call.cancel()
  }
}

/// The messages of a streaming answer, in order. One task may read at a time.
public struct ResponseReader<Element: Message>: Sendable {
  @usableFromInline let handle: ClientCallHandle

  /// The next message, waiting for it; nil after the last. Cancelling the task cancels the call.
  /// - Throws: the status, if it is not OK, after the messages that came before it.
  @inlinable
  public func next() async throws(RPCError) -> Element? {
    try await handle.call.nextResponse(Element.self)
  }

  /// Whether the message that was read last came compressed.
  public var wasCompressed: Bool { handle.call.wasCompressed.load(ordering: .relaxed) }
}

/// Sends the messages of a streaming request, in order.
public struct RequestWriter<Element: Message>: Sendable {
  @usableFromInline let handle: ClientCallHandle

  /// Queues a message, after waiting for the server to take enough of those before it.
  /// - Parameter compress: false to leave this one uncompressed in a call whose options ask for compression.
  /// - Throws: the status if the call has ended; `.cancelled` if the server ended it without an error or the task was
  ///   cancelled.
  @inlinable
  public func write(_ message: Element, compress: Bool = true) async throws(RPCError) {
    do {
      try await handle.call.write(EncodedMessage(message).bytes, compress: compress)
    } catch {
      throw ClientCall.callError(error)
    }
  }

  /// Tells the server that this was the last message.
  public func finish() {
    handle.call.finish()
  }
}

/// A call with one message each way, for callers who want more of the answer than its message.
public struct UnaryCall<Response: Message>: Sendable {
  @usableFromInline let handle: ClientCallHandle

  @usableFromInline
  init(_ call: ClientCall) {
    handle = ClientCallHandle(call)
  }

  /// The answer. Call it once.
  @inlinable
  public func response() async throws(RPCError) -> Response {
    try await handle.call.soleResponse(Response.self)
  }
  /// Whether the answer came compressed.
  public var wasCompressed: Bool { handle.call.wasCompressed.load(ordering: .relaxed) }
  /// What the server sent before its message. Waits for it.
  public var initialMetadata: Metadata { get async throws(RPCError) { try await handle.call.initialMetadata() } }
  /// What the server sent with its status. Waits for it.
  public var trailingMetadata: Metadata { get async throws(RPCError) { try await handle.call.trailingMetadata() } }
  /// Gives the call up; harmless after its end.
  public func cancel() { handle.call.cancel() }
}

/// A call with a streaming answer.
public struct ServerStreamingCall<Response: Message>: Sendable {
  @usableFromInline let handle: ClientCallHandle

  @usableFromInline
  init(_ call: ClientCall) {
    handle = ClientCallHandle(call)
  }

  public var responses: ResponseReader<Response> { ResponseReader(handle: handle) }
  /// What the server sent before its messages. Waits for it.
  public var initialMetadata: Metadata { get async throws(RPCError) { try await handle.call.initialMetadata() } }
  /// What the server sent with its status. Waits for it.
  public var trailingMetadata: Metadata { get async throws(RPCError) { try await handle.call.trailingMetadata() } }
  /// Gives the call up; harmless after its end.
  public func cancel() { handle.call.cancel() }
}

/// A call with a streaming request.
public struct ClientStreamingCall<Request: Message, Response: Message>: Sendable {
  @usableFromInline let handle: ClientCallHandle

  @usableFromInline
  init(_ call: ClientCall) {
    handle = ClientCallHandle(call)
  }

  public var requests: RequestWriter<Request> { RequestWriter(handle: handle) }
  /// The answer. Call it once, usually after `requests.finish()`.
  @inlinable
  public func response() async throws(RPCError) -> Response {
    try await handle.call.soleResponse(Response.self)
  }
  /// What the server sent before its messages. Waits for it.
  public var initialMetadata: Metadata { get async throws(RPCError) { try await handle.call.initialMetadata() } }
  /// What the server sent with its status. Waits for it.
  public var trailingMetadata: Metadata { get async throws(RPCError) { try await handle.call.trailingMetadata() } }
  /// Gives the call up; harmless after its end.
  public func cancel() { handle.call.cancel() }
}

/// A call with streams both ways.
public struct BidirectionalCall<Request: Message, Response: Message>: Sendable {
  @usableFromInline let handle: ClientCallHandle

  @usableFromInline
  init(_ call: ClientCall) {
    handle = ClientCallHandle(call)
  }

  public var requests: RequestWriter<Request> { RequestWriter(handle: handle) }
  public var responses: ResponseReader<Response> { ResponseReader(handle: handle) }
  /// What the server sent before its messages. Waits for it.
  public var initialMetadata: Metadata { get async throws(RPCError) { try await handle.call.initialMetadata() } }
  /// What the server sent with its status. Waits for it.
  public var trailingMetadata: Metadata { get async throws(RPCError) { try await handle.call.trailingMetadata() } }
  /// Gives the call up; harmless after its end.
  public func cancel() { handle.call.cancel() }
}
