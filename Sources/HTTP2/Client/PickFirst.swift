internal import Base
internal import RPC

/// One connection, to the first address that takes it: gRPC's `pick_first` with the happy eyeballs of RFC 8305, as its
/// proposal A61 has them.
///
/// The addresses are tried one after the other, families in turn; each attempt gets a head start before the next begins
/// beside it, and the first connection wins. When all have failed, requests fail, and each address is tried again when
/// its backoff is over. A lost connection leaves the channel idle: the next request connects.
struct PickFirst: LoadBalancer {
  private let shuffle: (any RandomSource)?
  private var addresses: [SocketAddress] = []
  private var states: [SocketAddress: SubchannelState] = [:]
  /// Whose connection is used.
  private var chosen: SocketAddress?
  private var isAwake = false
  /// The first address that has not had its turn.
  private var next = 0
  /// All addresses have failed, and none has been connected to since.
  private var hasFailed = false
  private(set) var failure = ""

  /// - Parameter shuffle: puts the addresses in an order of its own; nil leaves that of the resolver.
  init(shuffle: (any RandomSource)? = nil) {
    self.shuffle = shuffle
  }

  var state: ConnectivityState {
    if chosen != nil { return .ready }
    guard isAwake else { return .idle }
    return hasFailed ? .transientFailure : .connecting
  }

  var ready: [SocketAddress] { chosen.map { [$0] } ?? [] }

  mutating func resolved(_ new: [SocketAddress]) -> [BalancerAction] {
    var new = new
    if let shuffle {
      for index in new.indices.dropFirst() { new.swapAt(index, Int(shuffle.below(UInt64(index + 1)))) }
    }
    addresses = Self.interleaved(new)
    states = Dictionary(addresses.map { ($0, states[$0] ?? .idle) }, uniquingKeysWith: { first, _ in first })
    if let chosen, states[chosen] != nil { return [] }
    chosen = nil
    next = 0
    return isAwake ? proceed() : []
  }

  mutating func wake() -> [BalancerAction] {
    guard !isAwake else { return [] }
    isAwake = true
    next = 0
    return addresses.isEmpty ? [] : proceed()
  }

  mutating func attemptDelayPassed() -> [BalancerAction] {
    isAwake && chosen == nil ? proceed() : []
  }

  mutating func changed(_ address: SocketAddress, _ state: SubchannelState) -> [BalancerAction] {
    guard states[address] != nil else { return [] }
    states[address] = state
    guard isAwake else { return [] }
    switch state {
    case .connecting:
      return []
    case .ready:
      chosen = address
      hasFailed = false
      let losers = addresses.filter { states[$0] == .connecting }
      for loser in losers { states[loser] = .idle }
      return [.stopAttemptTimer] + losers.map { .disconnect($0) }
    case .failed(let why):
      failure = "\(address): \(why)"
      return chosen == nil ? proceed() : []
    case .idle where chosen == address:
      chosen = nil
      isAwake = false
      return [.resolve]
    case .idle:
      // Its backoff is over. One that has not had its turn waits for it.
      guard chosen == nil, addresses.prefix(next).contains(address) else { return [] }
      states[address] = .connecting
      return [.connect(address)]
    }
  }

  /// Begins the next attempt, or finds that all have failed.
  private mutating func proceed() -> [BalancerAction] {
    while next < addresses.count {
      let address = addresses[next]
      next += 1
      // Those that back off are passed over; one that is under way already gets its head start all the same.
      guard states[address] == .idle || states[address] == .connecting else { continue }
      let timer = next < addresses.count ? BalancerAction.startAttemptTimer : .stopAttemptTimer
      defer { states[address] = .connecting }
      return states[address] == .idle ? [.connect(address), timer] : [timer]
    }
    if states.values.contains(.connecting) { return [.stopAttemptTimer] }
    hasFailed = true
    return [.stopAttemptTimer, .resolve]
  }

  /// The families in turn, beginning with that of the best address (RFC 8305 §4).
  static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
    guard let first = addresses.first else { return [] }
    let own = addresses.filter { $0.family == first.family }
    let others = addresses.filter { $0.family != first.family }
    var result: [SocketAddress] = []
    for index in 0..<max(own.count, others.count) {
      if index < own.count { result.append(own[index]) }
      if index < others.count { result.append(others[index]) }
    }
    return result
  }
}
