/// What a method's proto says about its use. The core enforces the deadlines; interceptors enforce the rest.
public struct MethodPolicy: Sendable, Equatable {
  /// Who may call.
  public enum Access: Sendable, Hashable {
    /// Nothing is declared.
    case unspecified
    /// Anybody, without credentials.
    case `public`
    /// Anybody with valid credentials.
    case user
    /// The owner of the named resource; the handler checks the ownership.
    case owner
    /// Somebody with one of `roles`.
    case role
  }

  /// What a call costs, for rate limits.
  public enum RateClass: Sendable, Hashable {
    case standard
    case expensive
    case telemetry
  }

  public var access: Access
  public var roles: [String]
  /// Whether the method changes anything.
  public var mutates: Bool
  /// The deadline of a call whose client asks for none; nil for no deadline.
  public var defaultDeadline: Duration?
  /// The most that a client can ask for; nil for no bound.
  public var longestDeadline: Duration?
  public var rateClass: RateClass

  public init(
    access: Access = .unspecified, roles: [String] = [], mutates: Bool = false, defaultDeadline: Duration? = nil,
    longestDeadline: Duration? = nil, rateClass: RateClass = .standard
  ) {
    self.access = access
    self.roles = roles
    self.mutates = mutates
    self.defaultDeadline = defaultDeadline
    self.longestDeadline = longestDeadline
    self.rateClass = rateClass
  }

  /// How long a call may take whose client asks for `requested`.
  func timeout(requested: Duration?) -> Duration? {
    guard let wanted = requested ?? defaultDeadline else { return longestDeadline }
    return longestDeadline.map { min(wanted, $0) } ?? wanted
  }
}
