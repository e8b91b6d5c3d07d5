/// What a method's proto says about its use. The core enforces the deadlines, the length of messages and, under load,
/// the priority; `CallLimiter` the number of calls; interceptors of the server the rest.
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

  /// What is given up first when there is more to do than can be done.
  public enum Priority: Int, Sendable, Hashable, Comparable {
    /// Can be made up for later, or comes again by itself.
    case low
    case normal
    /// Ends or confirms what was begun: refusing it would waste what has been done.
    case high
    /// Never refused for load.
    case critical

    public static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
  }

  public var access: Access
  public var roles: [String]
  /// The field of the request that names the resource on which one of `roles` must be held; nil for roles on the whole
  /// platform only. Such a method is registered with what reads the field (`ServiceRegistry.unary(_:about:_:)`).
  public var resourceField: String?
  /// Whether the method changes anything.
  public var mutates: Bool
  /// Whether the caller says something to others by it, which moderators may forbid.
  public var posts: Bool
  /// Whether a repeat is recognised for ever: where money or a booking depends on it.
  public var keepsRequestIDs: Bool
  /// The deadline of a call whose client asks for none; nil for no deadline.
  public var defaultDeadline: Duration?
  /// The most that a client can ask for; nil for no bound.
  public var longestDeadline: Duration?
  public var rateClass: RateClass
  public var priority: Priority
  /// Calls that may be under way at once; nil for no bound.
  public var concurrentCalls: Int?
  /// The same for the calls of one caller.
  public var concurrentCallsPerCaller: Int?
  /// The greatest length of a received message in bytes; nil for `RPCLimits.messageBytes`.
  public var messageBytes: Int?

  public init(
    access: Access = .unspecified, roles: [String] = [], resourceField: String? = nil, mutates: Bool = false,
    posts: Bool = false, keepsRequestIDs: Bool = false,
    defaultDeadline: Duration? = nil, longestDeadline: Duration? = nil, rateClass: RateClass = .standard,
    priority: Priority = .normal, concurrentCalls: Int? = nil, concurrentCallsPerCaller: Int? = nil,
    messageBytes: Int? = nil
  ) {
    self.access = access
    self.roles = roles
    self.resourceField = resourceField
    self.mutates = mutates
    self.posts = posts
    self.keepsRequestIDs = keepsRequestIDs
    self.defaultDeadline = defaultDeadline
    self.longestDeadline = longestDeadline
    self.rateClass = rateClass
    self.priority = priority
    self.concurrentCalls = concurrentCalls
    self.concurrentCallsPerCaller = concurrentCallsPerCaller
    self.messageBytes = messageBytes
  }
}
