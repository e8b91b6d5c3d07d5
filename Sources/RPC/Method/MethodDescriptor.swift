/// One method of a service, as both sides know it.
public struct MethodDescriptor: Sendable {
  /// The full name of the service, such as `octet.rides.v1.RideService`.
  public let service: String
  /// The name within the service, such as `RequestRide`.
  public let name: String
  public let kind: MethodKind
  public internal(set) var policy: MethodPolicy
  /// The path of a request: `/octet.rides.v1.RideService/RequestRide`.
  public let path: String

  public init(service: String, name: String, kind: MethodKind, policy: MethodPolicy = MethodPolicy()) {
    self.service = service
    self.name = name
    self.kind = kind
    self.policy = policy
    path = "/\(service)/\(name)"
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
