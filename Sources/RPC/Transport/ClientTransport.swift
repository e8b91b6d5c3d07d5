/// Something that carries requests to a server: a connection, a channel of several, or the in-process pair.
public protocol ClientTransport: Sendable {
  /// An executor for a new call. Handlers that call out use it so that request and reply stay on one thread.
  func executor() -> any CallExecutor

  /// Starts a request. Call it on `executor`, which came from `executor()`; `handler` is called there as well.
  /// A transport that is not connected queues the request until it is, or closes it with `.unreachable`.
  /// - Parameter waitsForReady: queues it also while no connection can be made, until the core gives it up.
  func open(
    _ head: RequestHead, waitsForReady: Bool, on executor: any CallExecutor, handler: any ClientStreamHandler
  ) -> any ClientStream

  /// Whether nobody but the server can read what is sent: it is encrypted, or does not leave the machine's kernel.
  var isPrivate: Bool { get }

  /// How calls over this transport are to be treated if their channel does not say.
  var serviceConfig: ServiceConfig? { get }

  /// The same where the transport finds it out; nil if it does not.
  var liveServiceConfig: LiveServiceConfig? { get }

  /// Begins what a request needs: has the service config looked up, and connections made. On `executor`.
  func prepare(on executor: any CallExecutor)

  /// Refuses new requests, waits for those under way, then closes.
  func shutdown() async
}

extension ClientTransport {
  /// As the requirement, for a request that does not wait.
  public func open(
    _ head: RequestHead, on executor: any CallExecutor, handler: any ClientStreamHandler
  ) -> any ClientStream {
    open(head, waitsForReady: false, on: executor, handler: handler)
  }

  public var isPrivate: Bool { false }
  public var serviceConfig: ServiceConfig? { nil }
  public var liveServiceConfig: LiveServiceConfig? { nil }
  public func prepare(on executor: any CallExecutor) {}
}

/// The client's end of one request, given by the transport to the core. On the call's executor only.
public protocol ClientStream: AnyObject {
  /// Queues body bytes; the array is shared, not copied.
  func write(_ bytes: [UInt8])
  /// Half-closes after what is queued.
  func finish()
  /// Resets the stream. Harmless after the end.
  func reset(_ code: ResetCode)
  /// See `ServerStream.queuedBytes`.
  var queuedBytes: Int { get }
  /// See `ServerStream.hasRoom`.
  var hasRoom: Bool { get }
  /// See `ServerStream.consumed`.
  func consumed(_ count: Int)
}

extension ClientStream {
  public var hasRoom: Bool { queuedBytes <= StreamWaterMarks.high }
}

/// The core's end of one request, called by the transport on the call's executor.
public protocol ClientStreamHandler: AnyObject {
  /// The head of the final response; informational ones (1xx) stay with the transport. With `endStream` nothing
  /// follows but `closed`.
  func receiveHead(status: Int, headers: HeaderList, endStream: Bool)
  /// Body bytes, valid during the call only.
  func receive(_ bytes: Span<UInt8>)
  /// The end of the response; the trailers are empty if there were none.
  func receiveEnd(trailers: HeaderList)
  /// See `ServerStreamHandler.drained`.
  func drained()
  /// The stream is gone; nil after a regular end. Called exactly once, and nothing after it.
  func closed(_ reason: StreamClosure?)
  /// See `ServerStreamHandler.progress`.
  var progress: CallProgress { get }
}

extension ClientStreamHandler {
  public var progress: CallProgress { CallProgress() }
}
