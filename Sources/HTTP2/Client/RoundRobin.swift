internal import RPC

/// A connection to each address; requests go to all in turn that take them: gRPC's `round_robin`.
struct RoundRobin: LoadBalancer {
  private var addresses: [SocketAddress] = []
  private var states: [SocketAddress: SubchannelState] = [:]
  /// Those that have failed and not been ready since: while they try again they count as failed.
  private var failed: Set<SocketAddress> = []
  private var isAwake = false
  private(set) var failure = ""

  var state: ConnectivityState {
    guard isAwake else { return .idle }
    if states.values.contains(.ready) { return .ready }
    return addresses.isEmpty || failed.count < states.count ? .connecting : .transientFailure
  }

  var ready: [SocketAddress] { addresses.filter { states[$0] == .ready } }

  mutating func resolved(_ new: [SocketAddress]) -> [BalancerAction] {
    addresses = new
    states = Dictionary(new.map { ($0, states[$0] ?? .idle) }, uniquingKeysWith: { first, _ in first })
    failed = failed.filter { states[$0] != nil }
    return connectIdle()
  }

  mutating func wake() -> [BalancerAction] {
    isAwake = true
    return connectIdle()
  }

  mutating func attemptDelayPassed() -> [BalancerAction] { [] }

  mutating func changed(_ address: SocketAddress, _ state: SubchannelState) -> [BalancerAction] {
    guard let before = states[address] else { return [] }
    states[address] = state
    switch state {
    case .connecting:
      return []
    case .ready:
      failed.remove(address)
      return []
    case .failed(let why):
      failed.insert(address)
      failure = "\(address): \(why)"
      return [.resolve]
    case .idle:
      return (before == .ready ? [.resolve] : []) + connectIdle()
    }
  }

  private mutating func connectIdle() -> [BalancerAction] {
    guard isAwake else { return [] }
    let idle = addresses.filter { states[$0] == .idle }
    for address in idle { states[address] = .connecting }
    return idle.map { .connect($0) }
  }
}
