internal import Base
internal import RPC

/// What a channel knows of its target's addresses.
struct Resolution {
  var hasAddresses = false
  /// Why the last question had no answer.
  var failure: String?
  var isUnderWay = false
  /// The next question.
  var timer: (any ScheduledWork)?
  /// Between questions without an answer; nil before the channel sets it.
  var backoff: ConnectionBackoff?
  private var last: Int64?

  mutating func succeeded(at now: Int64) {
    last = now
    failure = nil
    backoff?.reset()
  }

  mutating func nextBackoff() -> Duration { backoff?.next() ?? .zero }

  /// How long to wait before the next question, so that failing servers do not burden the resolver too.
  func wait(_ now: Int64, _ interval: Duration) -> Duration {
    guard let last else { return .zero }
    return max(.nanoseconds(last - now) + interval, .zero)
  }

  mutating func forget() {
    timer?.cancel()
    timer = nil
    hasAddresses = false
    failure = nil
    last = nil
    backoff?.reset()
  }
}

/// How a channel gets the service config that goes with its target's addresses.
struct ConfigLookup: Sendable {
  /// Asks for it; may block. nil if there is none.
  let find: @Sendable () throws -> ServiceConfig?
  /// Hears of it, for the calls.
  let live: LiveServiceConfig
  /// What holds if there is none.
  let fallback: ServiceConfig?

  /// - Returns: nil if the target is no name, so that there is nothing to look up.
  init?(_ lookup: ServiceConfigLookup?, _ target: ClientTarget, fallback: ServiceConfig?) {
    guard let lookup, case .resolver = target.place else { return nil }
    let host = target.host
    find = { try lookup.find(host) }
    live = LiveServiceConfig()
    self.fallback = fallback
  }
}

extension ServiceConfig {
  /// The service whose health decides whether a server gets requests; nil if no one asks.
  var healthCheckedService: String? { loadBalancing == .roundRobin ? healthCheckService : nil }

  func balancer(_ random: any RandomSource) -> any LoadBalancer {
    switch loadBalancing {
    case .pickFirst: PickFirst()
    case .shuffledPickFirst: PickFirst(shuffle: random)
    case .roundRobin: RoundRobin()
    }
  }
}
