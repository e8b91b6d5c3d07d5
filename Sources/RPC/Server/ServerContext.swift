public import Base
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
  public var metadata: Metadata { Metadata(received: call.headers) }
  /// The host that the client called.
  public var authority: String { call.authority }
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

  /// Whether the request, or the message of it that was read last, came compressed.
  public var isRequestCompressed: Bool { call.wasCompressed.load(ordering: .relaxed) }

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

  /// Suspends until the call is over or the current task is cancelled. For handlers whose messages come from
  /// elsewhere, by way of a `ResponseSink`.
  public func waitUntilCancelled() async {
    await call.waitUntilEnded()
  }
}

/// Names a value that interceptors attach to calls.
///
/// ```swift
/// enum CallerKey: CallKey { typealias Value = Caller }
/// context[CallerKey.self] = caller
/// ```
public protocol CallKey {
  associatedtype Value: Sendable
}

/// The call that the current task works for.
public enum CurrentCall {
  /// The deadline of the call whose handler runs in this task; calls that it makes end then at the latest.
  @TaskLocal public static var deadline: Instant?
}
