/// One method of a service, as both sides know it.
///
/// Its parts lie together on the heap, because every call passes it from hand to hand: copying it counts one reference,
/// not one for each text in it.
public struct MethodDescriptor: Sendable {
  @usableFromInline
  final class Parts: Sendable {
    @usableFromInline let service: String
    @usableFromInline let name: String
    @usableFromInline let kind: MethodKind
    @usableFromInline let policy: MethodPolicy
    @usableFromInline let path: String

    init(service: String, name: String, kind: MethodKind, policy: MethodPolicy) {
      self.service = service
      self.name = name
      self.kind = kind
      self.policy = policy
      path = "/\(service)/\(name)"
    }
  }

  @usableFromInline var parts: Parts

  /// The full name of the service, such as `octet.rides.v1.RideService`.
  @inlinable public var service: String { parts.service }
  /// The name within the service, such as `RequestRide`.
  @inlinable public var name: String { parts.name }
  @inlinable public var kind: MethodKind { parts.kind }
  public internal(set) var policy: MethodPolicy {
    @inlinable get { parts.policy }
    set { parts = Parts(service: service, name: name, kind: kind, policy: newValue) }
  }
  /// The path of a request: `/octet.rides.v1.RideService/RequestRide`.
  @inlinable public var path: String { parts.path }

  public init(service: String, name: String, kind: MethodKind, policy: MethodPolicy = MethodPolicy()) {
    parts = Parts(service: service, name: name, kind: kind, policy: policy)
  }
}

/// Which sides send a stream.
public enum MethodKind: Sendable, Hashable {
  case unary
  case serverStreaming
  case clientStreaming
  case bidirectional

  /// Whether the request is exactly one message.
  public var hasSingleRequest: Bool { self == .unary || self == .serverStreaming }
}
