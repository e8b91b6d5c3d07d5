public import Base
internal import RPC

/// Begins and ends the spans of calls: who is the parent, what is kept.
///
/// A trace that comes in is kept if its sender keeps it; of those that begin here, `ratio` says which. Calls that are
/// not kept have a context all the same, so that everybody behind them decides alike.
public final class Tracer: Sendable {
  private let ratio: SampleRatio
  private let random: any RandomSource
  private let clock: any WallClock
  private let keep: @Sendable (CallSpan) -> Void

  /// - Parameter keep: takes the spans that are kept, on the thread of the call: it must be quick.
  public init(
    ratio: SampleRatio, random: any RandomSource = SystemRandomSource(), clock: any WallClock = SystemClock(),
    keep: @escaping @Sendable (CallSpan) -> Void
  ) {
    self.ratio = ratio
    self.random = random
    self.clock = clock
    self.keep = keep
  }

  /// A call that a client makes of the server.
  struct ServerSpan: Sendable {
    let context: TraceContext
    let parentID: UInt64?
  }

  /// Begins the span of a call to the server.
  func begin(_ call: ServerContext) -> ServerSpan {
    let metadata = call.metadata
    let parent = TraceContext(parents: metadata.values("traceparent"), states: metadata.values("tracestate"))
    let context = parent?.child(random) ?? .root(random, sampling: ratio)
    return ServerSpan(context: context, parentID: parent?.spanID)
  }

  /// Ends it.
  func end(_ span: ServerSpan, _ call: ServerContext, _ status: StatusCode, _ record: CallRecord) {
    guard span.context.isSampled else { return }
    keep(
      CallSpan(
        context: span.context, parentID: span.parentID, hasRemoteParent: span.parentID != nil, side: .server,
        service: call.method.service, method: call.method.name, peer: call.peer.address, began: record.began,
        ended: max(record.ended, record.began), status: status))
  }

  /// Begins the span of a call that the current task makes, and puts its context into the request, unless the caller
  /// has done so.
  func begin(_ method: MethodDescriptor, _ options: inout CallOptions) -> ClientSpan? {
    guard options.metadata["traceparent"] == nil else { return nil }
    let parent = TraceContext.current
    let context = parent?.child(random) ?? .root(random, sampling: ratio)
    do {
      try options.metadata.add("traceparent", context.traceParent)
      if !context.state.isEmpty { try options.metadata.add("tracestate", context.state) }
    } catch {
      preconditionFailure("a context that was read or made here cannot be written: \(error)")
    }
    guard context.isSampled else { return nil }
    return ClientSpan(context: context, parentID: parent?.spanID, method: method, began: clock.now())
  }

  /// A call that is made of another server, and kept.
  struct ClientSpan: Sendable {
    let context: TraceContext
    let parentID: UInt64?
    let method: MethodDescriptor
    let began: Instant
  }

  /// Ends it.
  func end(_ span: ClientSpan, _ status: StatusCode) {
    keep(
      CallSpan(
        context: span.context, parentID: span.parentID, hasRemoteParent: false, side: .client,
        service: span.method.service, method: span.method.name, peer: nil, began: span.began,
        ended: max(clock.now(), span.began), status: status))
  }
}
