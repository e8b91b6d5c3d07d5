public import Base

/// Hears of every call of a server: where metrics, traces and logs of calls are joined to the core.
///
/// Everything is called on the call's executor, on the way of every call: it must be quick and must not block. A server
/// has one observer or none; without one, a call costs a few additions more than if there were no such thing.
public protocol CallObserver: AnyObject, Sendable {
  /// Whether `CallRecord.started` and `.handling` are wanted, at the price of reading the clock twice more.
  var wantsStages: Bool { get }

  /// A call of a known method has begun.
  func began(_ call: ServerContext)

  /// The status of a call that began is decided. Called once, after the interceptors have heard of it.
  func ended(_ call: ServerContext, _ status: StatusCode, _ record: CallRecord)

  /// A request became no call: its method is unknown (then it has no number), its head malformed, or the server is
  /// shutting down. There was no `began` and there will be no `ended`.
  /// - Parameter methodNumber: see `ServerContext.methodNumber`.
  func refused(_ head: RequestHead, methodNumber: Int?, _ status: StatusCode, peer: PeerInfo)
}

/// What a call on the server took, for its observer.
public struct CallRecord: Sendable, Equatable {
  /// When the head of the request came.
  public var began: Instant
  /// When the request was there, or the first of several messages could be awaited, and the interceptors started; nil
  /// if it never was, or if nobody wants the stages.
  public var started: Instant?
  /// When the interceptors were done and the handler started; nil if it never did, or if nobody wants the stages.
  public var handling: Instant?
  /// When the status was decided.
  public var ended: Instant
  public var counts: CallCounts

  public init(
    began: Instant, started: Instant? = nil, handling: Instant? = nil, ended: Instant, counts: CallCounts = CallCounts()
  ) {
    self.began = began
    self.started = started
    self.handling = handling
    self.ended = ended
    self.counts = counts
  }

  /// From the head to the status; never negative, though the clock may have been set back.
  public var duration: Duration { max(ended - began, .zero) }
}

/// What went through a call, on either side.
public struct CallCounts: Sendable, Equatable {
  /// Bytes of body received: messages as they were on the wire, with their prefixes.
  public var bytesReceived = 0
  /// Bytes of body given to the transport.
  public var bytesSent = 0
  public var messagesReceived = 0
  public var messagesSent = 0
  /// Nanoseconds that a writer waited for the peer to take what was written before; counted only where the stages are.
  public var roomWaitNanoseconds: Int64 = 0
  /// Nanoseconds that a reader waited for a message of the peer; counted only where the stages are.
  public var inputWaitNanoseconds: Int64 = 0

  public init() {}
}

/// Hears of every call that is made on a channel.
public protocol ClientCallObserver: AnyObject, Sendable {
  /// A call is about to be made, in the caller's task. May add metadata, such as a trace context.
  /// - Returns: what is to hear of the call's end; nil if nothing is.
  func began(_ method: MethodDescriptor, _ options: inout CallOptions) -> (any ClientCallObservation)?
}

/// One call of a client under observation.
public protocol ClientCallObservation: AnyObject, Sendable {
  /// The status is known. Called once, on the call's executor.
  func ended(_ status: StatusCode, _ counts: CallCounts)
}
