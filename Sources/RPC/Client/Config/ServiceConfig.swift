internal import Base

/// How a client treats the methods of a service: deadlines, waiting, retries, hedging; and how it spreads its calls over
/// the servers. What gRPC calls a service config (its doc/service_config.md), from its JSON form or made in Swift.
///
/// ```swift
/// let config = try ServiceConfig(json: """
///   {
///     "loadBalancingConfig": [{"round_robin": {}}],
///     "methodConfig": [{
///       "name": [{"service": "shop.v1.Orders"}],
///       "timeout": "2s",
///       "retryPolicy": {
///         "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
///         "retryableStatusCodes": ["UNAVAILABLE"]
///       }
///     }]
///   }
///   """)
/// ```
public struct ServiceConfig: Sendable, Equatable {
  /// What holds for some methods. Where several entries fit, the one for the method wins over the one for its service,
  /// and that over the one for all.
  public var methods: [MethodConfig]
  public var loadBalancing: LoadBalancing
  public var retryThrottling: RetryThrottling?
  /// The service whose health (grpc.health.v1) a server must report to get calls; the empty name stands for the whole
  /// server. nil leaves health unasked. Heeded by `roundRobin` alone, as gRPC has it.
  public var healthCheckService: String?

  public init(
    methods: [MethodConfig] = [], loadBalancing: LoadBalancing = .pickFirst, retryThrottling: RetryThrottling? = nil,
    healthCheckService: String? = nil
  ) {
    self.methods = methods
    self.loadBalancing = loadBalancing
    self.retryThrottling = retryThrottling
    self.healthCheckService = healthCheckService
  }

  /// How calls are spread over the servers' addresses.
  public enum LoadBalancing: Sendable, Equatable {
    /// All to the first address that can be connected to.
    case pickFirst
    /// As `pickFirst`, with the addresses in an order of each client's own.
    case shuffledPickFirst
    /// In turn to all that can be connected to.
    case roundRobin
  }

  /// What holds for the named methods.
  public struct MethodConfig: Sendable, Equatable {
    public var names: [MethodName]
    /// The longest that a call may take; a shorter timeout of the call itself wins.
    public var timeout: Duration?
    /// Whether calls that do not say wait for a connection, rather than fail while there is none.
    public var waitForReady: Bool?
    /// The longest message sent, in bytes; a longer one fails the call with RESOURCE_EXHAUSTED.
    public var maxRequestMessageBytes: Int?
    /// The longest message received, in bytes; the lower of this and the call's own limit holds.
    public var maxResponseMessageBytes: Int?
    public var attempts: AttemptPolicy?

    public init(
      names: [MethodName], timeout: Duration? = nil, waitForReady: Bool? = nil, maxRequestMessageBytes: Int? = nil,
      maxResponseMessageBytes: Int? = nil, attempts: AttemptPolicy? = nil
    ) {
      self.names = names
      self.timeout = timeout
      self.waitForReady = waitForReady
      self.maxRequestMessageBytes = maxRequestMessageBytes
      self.maxResponseMessageBytes = maxResponseMessageBytes
      self.attempts = attempts
    }
  }

  /// One method, all methods of a service, or (with an empty service) all methods.
  public struct MethodName: Sendable, Hashable {
    public var service: String
    public var method: String?

    public init(service: String = "", method: String? = nil) {
      self.service = service
      self.method = method
    }

    /// The key by which a call finds its entry: `/service/method`, `/service/` or empty.
    var key: String { service.isEmpty ? "" : "/\(service)/\(method ?? "")" }
  }
}

/// What is done when one attempt of a call is not enough.
public enum AttemptPolicy: Sendable, Equatable {
  case retry(RetryPolicy)
  case hedging(HedgingPolicy)

  /// How many attempts there may be, the first included.
  var maxAttempts: Int {
    switch self {
    case .retry(let policy): min(policy.maxAttempts, RPCLimits.maxAttempts)
    case .hedging(let policy): min(policy.maxAttempts, RPCLimits.maxAttempts)
    }
  }
}

/// A failed call is tried again, after a wait that grows (gRPC's A6, "Retry policy").
public struct RetryPolicy: Sendable, Equatable {
  /// The first included; at least 2. More than `RPCLimits.maxAttempts` count as that.
  public var maxAttempts: Int
  /// The wait before the second attempt, give or take a fifth.
  public var initialBackoff: Duration
  /// The longest wait, give or take a fifth.
  public var maxBackoff: Duration
  /// By what the wait grows from one attempt to the next.
  public var backoffMultiplier: Double
  /// The statuses after which another attempt makes sense.
  public var retryableStatusCodes: Set<StatusCode>
  /// How long an attempt may be without an answer before it is given up and the next is made, whatever
  /// `retryableStatusCodes` are; after the last, the call fails with CANCELLED. nil for no bound but the deadline.
  public var perAttemptReceiveTimeout: Duration?

  /// The durations and the multiplier are to be positive.
  public init(
    maxAttempts: Int, initialBackoff: Duration, maxBackoff: Duration, backoffMultiplier: Double,
    retryableStatusCodes: Set<StatusCode>, perAttemptReceiveTimeout: Duration? = nil
  ) {
    precondition(maxAttempts >= 2, "a retry policy makes at least two attempts")
    precondition(initialBackoff > .zero && maxBackoff > .zero && backoffMultiplier > 0, "a backoff is positive")
    self.maxAttempts = maxAttempts
    self.initialBackoff = initialBackoff
    self.maxBackoff = maxBackoff
    self.backoffMultiplier = backoffMultiplier
    precondition(perAttemptReceiveTimeout.map { $0 > .zero } ?? true, "a timeout is positive")
    self.retryableStatusCodes = retryableStatusCodes
    self.perAttemptReceiveTimeout = perAttemptReceiveTimeout
  }

  /// The wait before retry number `retry`, from 1, before the jitter.
  func backoff(_ retry: Int) -> Duration {
    // In floating point, as a product of what a config may say goes beyond every integer.
    let longest = Double(maxBackoff.inNanoseconds)
    var wait = min(Double(initialBackoff.inNanoseconds), longest)
    for _ in 1..<max(retry, 1) { wait = min(wait * backoffMultiplier, longest) }
    return wait < longest ? .nanoseconds(Int64(wait)) : maxBackoff
  }
}

/// A call is sent to several servers, one after the other, and the first answer counts (gRPC's A6, "Hedging policy").
/// For methods that may be executed more than once.
public struct HedgingPolicy: Sendable, Equatable {
  /// The first included; at least 2. More than `RPCLimits.maxAttempts` count as that.
  public var maxAttempts: Int
  /// The wait between two attempts; zero sends all at once.
  public var hedgingDelay: Duration
  /// The statuses that do not end the call while other attempts are under way or left.
  public var nonFatalStatusCodes: Set<StatusCode>

  public init(maxAttempts: Int, hedgingDelay: Duration = .zero, nonFatalStatusCodes: Set<StatusCode> = []) {
    precondition(maxAttempts >= 2, "a hedging policy makes at least two attempts")
    precondition(hedgingDelay >= .zero, "a delay is not negative")
    self.maxAttempts = maxAttempts
    self.hedgingDelay = hedgingDelay
    self.nonFatalStatusCodes = nonFatalStatusCodes
  }
}

/// Stops retries and hedging while too many calls fail (gRPC's A6, "Throttling retry attempts and hedged RPCs").
public struct RetryThrottling: Sendable, Equatable {
  /// The tokens at the start; a failure takes one. At or below half of them, there are no further attempts.
  public var maxTokens: Int
  /// What a call that succeeds gives back, to three decimal places.
  public var tokenRatio: Double

  /// - Parameters:
  ///   - maxTokens: 1 to 1000.
  ///   - tokenRatio: positive.
  public init(maxTokens: Int, tokenRatio: Double) {
    precondition((1...RPCLimits.retryTokens).contains(maxTokens) && tokenRatio > 0, "not a throttle")
    self.maxTokens = maxTokens
    self.tokenRatio = tokenRatio
  }
}
