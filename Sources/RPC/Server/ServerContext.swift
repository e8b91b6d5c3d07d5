public import Base
public import ProtobufRuntime
internal import Synchronization

/// A handle to one call, for its handler and the interceptors. Safe to use from any thread, also after the call.
public struct ServerContext: Sendable {
  @usableFromInline let call: ServerCall

  /// The method called.
  public var method: MethodDescriptor { call.route.method }
  /// The position of the method in `ServiceRegistry.methods`: what is kept for each method is found by it at once.
  public var methodNumber: Int { call.route.number }
  /// `executor.number`, at a lower price.
  public var executorNumber: Int { call.executor.number }
  /// What the client sent before its messages.
  public var metadata: Metadata { Metadata(received: call.head.headers) }
  /// What the client sent as `authorization`, as it came and without a copy; nil if that was nothing.
  public var authorization: ArraySlice<UInt8>? { call.authorization.map { call.head.headers.octets[$0] } }
  /// The host that the client called.
  public var authority: String { call.head.authority }
  /// Who is on the other side of the connection.
  public var peer: PeerInfo { call.stream.peer }
  /// When the call ends with DEADLINE_EXCEEDED by itself; nil if it has no deadline.
  public var deadline: Instant? { call.deadline }
  /// The executor that the handler runs on.
  public var executor: any CallExecutor { call.executor }

  /// Metadata for the head of the response. It goes out with the first message at the latest; later changes are lost.
  public var initialMetadata: Metadata {
    get { call.attached?.with { $0.initialMetadata } ?? Metadata() }
    nonmutating set { call.attach().with { $0.initialMetadata = newValue } }
  }

  /// Metadata that goes out with the status.
  public var trailingMetadata: Metadata {
    get { call.attached?.with { $0.trailingMetadata } ?? Metadata() }
    nonmutating set { call.attach().with { $0.trailingMetadata = newValue } }
  }

  /// How the messages of the answer are compressed, if the client can read it; `RPCLimits.responseCompression` unless it
  /// is set. Goes out with the head, so that later changes are lost.
  public var responseCompression: MessageEncoding {
    get { call.attached?.with { $0.responseCompression } ?? call.server.limits.responseCompression }
    nonmutating set { call.attach().with { $0.responseCompression = newValue } }
  }

  /// How many messages have been sent to the client. To be asked on the call's executor.
  public var messagesSent: Int { call.counts.messagesSent }

  /// Whether the request, or the message of it that was read last, came compressed.
  public var isRequestCompressed: Bool { call.wasCompressed.load(ordering: .relaxed) }

  /// Who makes the call, as an interceptor has found: an object that all calls of one caller can share, so that attaching it
  /// takes no memory of the call's own.
  ///
  /// To be set on the call's executor before the handler starts; from then on it can be read from any thread.
  public var principal: (any AnyObject & Sendable)? {
    get { call.principal }
    nonmutating set { call.principal = newValue }
  }

  /// What an interceptor attached to the call.
  public subscript<Key: CallKey>(_ key: Key.Type) -> Key.Value? {
    get { call.attached?.with { $0[key] } }
    nonmutating set { call.attach().with { $0[key] = newValue } }
  }

  /// Sends the head of the response without waiting for the first message, for clients that wait for it.
  public func sendInitialMetadata() {
    call.onExecutor { $0.sendHead() }
  }

  /// Has the interceptors judge the resource that the request names.
  @usableFromInline
  func judge(resource: String) async throws {
    for interceptor in call.server.interceptors { try await interceptor.judge(resource: resource, self) }
  }

  /// Refuses the call as soon as its request has been read, unless something in that speaks for it; what cannot be read
  /// speaks for nothing. Of several refusals the first one counts.
  ///
  /// For interceptors, whose other refusals come before anything is read.
  /// - Parameters:
  ///   - error: what the call is refused with.
  ///   - admits: whether the call is let through for its request after all.
  /// - Returns: false if this method's handler reads its requests itself, or does not wait: then nothing has happened,
  ///   and the interceptor has to throw.
  public func refuse(
    with error: any Error, unless admits: @escaping @Sendable (any Message) async throws -> Bool
  ) -> Bool {
    guard call.route.mayBeRefusedLate else { return false }
    if !call.isRefused {
      self[LateRefusalKey.self] = LateRefusal(error: error, admits: admits)
      call.isRefused = true
    }
    return true
  }

  /// Has `hold` asked before anything leaves: a message, a status of OK, or an error. For interceptors, before the handler
  /// runs, and once for a call.
  public func hold(_ hold: any AnswerHold) {
    precondition(!call.mayBeHeld, "an answer is held by one")
    call.held = HeldAnswer(hold)
    call.mayBeHeld = true
  }

  /// The request of a call that has only one.
  @inlinable
  func read<Request: Message>(_ payload: ArraySlice<UInt8>, as type: Request.Type) throws -> Request {
    do {
      return try note(Request(request: payload.span, limits: call.decodeLimits))
    } catch {
      throw call.isRefused ? lateRefusal.error : error
    }
  }

  /// A request that has just been read, as what holds the answer may want to know it.
  @inlinable @inline(__always)
  func note<Request: Message>(_ request: Request) -> Request {
    if call.mayBeHeld { call.noteRequest(request) }
    return request
  }

  /// Lets a call through that was refused, if its request speaks for it.
  @usableFromInline
  func admit(for request: any Message) async throws {
    let refusal = lateRefusal
    guard try await refusal.admits(request) else { throw refusal.error }
  }

  @usableFromInline var lateRefusal: LateRefusal {
    guard let refusal = self[LateRefusalKey.self] else { preconditionFailure("a call is refused for no reason") }
    return refusal
  }

  /// Suspends until the call is over or the current task is cancelled. For handlers whose messages come from
  /// elsewhere, by way of a `ResponseSink`.
  public func waitUntilCancelled() async {
    await call.waitUntilEnded()
  }
}

/// Why a call is refused unless its request speaks for it.
@usableFromInline
struct LateRefusal: Sendable {
  @usableFromInline let error: any Error
  let admits: @Sendable (any Message) async throws -> Bool
}

private enum LateRefusalKey: CallKey {
  typealias Value = LateRefusal
}

/// Names a value that interceptors attach to calls.
///
/// ```swift
/// enum TenantKey: CallKey { typealias Value = Tenant }
/// context[TenantKey.self] = tenant
/// ```
public protocol CallKey {
  associatedtype Value: Sendable
}

/// The call that the current task works for.
public enum CurrentCall {
  /// The deadline of the call whose handler runs in this task; calls that it makes end then at the latest.
  @TaskLocal public static var deadline: Instant?
}
