internal import Base
internal import RPC

/// A client's way to its servers, of one loop: resolves the target, has a load balancer decide on connections, and
/// gives each request to one of them. Confined to the loop, so that nothing on the way of a request takes a lock.
///
/// A request that finds no connection waits for one. When none can be made, those that do not want to wait longer are
/// closed with `.unreachable`, and so is what comes until one is made.
final class ClientChannel: @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement.

  let loop: EventLoop
  let target: ClientTarget
  let tls: TLSClientConfiguration?
  let sharedLimits: SharedLimits
  let authority: String
  private(set) var config: ServiceConfig
  private let lookup: ConfigLookup?
  /// What was looked up last with success: a config, or that there is none.
  private var knownConfig: ServiceConfig??
  private let onChange: (ConnectivityState, String) -> Void

  private(set) var state = ConnectivityState.idle
  private var failure = ""
  private var balancer: any LoadBalancer
  private var subchannels: [SocketAddress: Subchannel] = [:]
  /// Those that take requests.
  private(set) var ready: [Subchannel] = []
  private var turn = 0
  private var queue = RequestQueue()
  private var isDrainQueued = false
  private var attemptTimer: (any ScheduledWork)?

  private var actions: [BalancerAction] = []
  private var isActing = false

  private(set) var resolution = Resolution()

  /// Requests that have not ended.
  private var active = 0
  /// When there were none last, in nanoseconds of the loop's clock.
  private var lastUsed: Int64 = 0
  private var idleTimer: (any ScheduledWork)?
  /// Connections that have begun and not ended.
  private var connections = 0
  private var whenClosed: [@Sendable () -> Void] = []

  /// - Parameter onChange: hears of each new state, and why no connection can be made, on the loop.
  init(
    loop: EventLoop, target: ClientTarget, tls: TLSClientConfiguration?, config: ServiceConfig, lookup: ConfigLookup?,
    authority: String, limits: SharedLimits, onChange: @escaping (ConnectivityState, String) -> Void
  ) {
    self.loop = loop
    self.target = target
    self.tls = tls
    self.authority = authority
    sharedLimits = limits
    self.onChange = onChange
    self.config = config
    self.lookup = lookup
    balancer = config.balancer(limits.random)
    resolution.backoff = ConnectionBackoff(limits: limits.values, random: limits.random)
  }

  var limits: HTTP2Limits { sharedLimits.values }

  /// The service whose health decides whether a server gets requests; nil if no one asks.
  var healthCheckService: String? { config.healthCheckedService }

  // MARK: Requests

  func open(_ head: RequestHead, waitsForReady: Bool, _ handler: any ClientStreamHandler) -> ClientHTTP2Stream {
    let stream = ClientHTTP2Stream(head, channel: self, waitsForReady: waitsForReady, handler: handler)
    active += 1
    if queue.isEmpty, place(stream) { return stream }
    switch state {
    case .shutdown:
      refuse(stream, .shutdown)
    case .transientFailure where !waitsForReady:
      refuse(stream, .unreachable(failure))
    default:
      if queue.count >= limits.maxQueuedRequests {
        refuse(stream, .unreachable("too many requests wait for a connection"))
        break
      }
      queue.append(stream)
      if state == .idle { wake() }
    }
    return stream
  }

  /// Gives the request to a connection with room, in turn; false if there is none.
  private func place(_ stream: ClientHTTP2Stream) -> Bool {
    var tries = ready.count
    // The list may change meanwhile: a connection may find that it is used up.
    while tries > 0, !ready.isEmpty {
      tries -= 1
      if turn >= ready.count { turn = 0 }
      let subchannel = ready[turn]
      turn += 1
      if subchannel.open(stream) { return true }
    }
    return false
  }

  /// Never inside of `open`: the caller does not have its stream yet.
  private func refuse(_ stream: ClientHTTP2Stream, _ reason: StreamClosure) {
    let refused = Confined(stream: stream)
    loop.execute { refused.stream.close(reason) }
  }

  private struct Confined: @unchecked Sendable {
    // Unchecked because it only travels to the same loop.
    let stream: ClientHTTP2Stream
  }

  /// A request that waits is given up.
  func abandon(_ stream: ClientHTTP2Stream, _ code: ResetCode) {
    queue.remove(stream)
    refuse(stream, .reset(code))
  }

  /// A connection may take one more.
  func hasRoom() {
    guard !queue.isEmpty, !isDrainQueued else { return }
    isDrainQueued = true
    // Not inside of the session's callback that led here.
    loop.execute {
      self.isDrainQueued = false
      while let stream = self.queue.peek(), self.place(stream) { self.queue.remove(stream) }
    }
  }

  /// A request has ended, whether it had a connection or not.
  func requestEnded() {
    active -= 1
    if active == 0 { beginIdling() }
  }

  // MARK: Connecting

  /// Has connections made, if there are none.
  func wake() {
    guard state == .idle else { return }
    if active == 0 { beginIdling() }
    act(balancer.wake())
    if !resolution.hasAddresses { resolve() }
  }

  func changed(_ subchannel: Subchannel, _ new: SubchannelState) {
    guard subchannels[subchannel.address] === subchannel else { return }
    act(balancer.changed(subchannel.address, new))
  }

  /// Does what the balancer wants. What comes of it may want more: one after the other.
  private func act(_ new: [BalancerAction]) {
    actions += new
    guard !isActing else { return }
    isActing = true
    while !actions.isEmpty {
      let batch = actions
      actions = []
      for action in batch { perform(action) }
    }
    isActing = false
    refresh()
  }

  private func perform(_ action: BalancerAction) {
    switch action {
    case .connect(let address): subchannels[address]?.connect()
    case .disconnect(let address): subchannels[address]?.disconnect()
    case .startAttemptTimer:
      attemptTimer?.cancel()
      attemptTimer = loop.schedule(after: limits.connectionAttemptDelay) { [weak self] in
        guard let self, self.state != .shutdown else { return }
        self.act(self.balancer.attemptDelayPassed())
      }
    case .stopAttemptTimer:
      attemptTimer?.cancel()
      attemptTimer = nil
    case .resolve: resolve()
    }
  }

  /// Takes over what the balancer has come to.
  private func refresh() {
    guard state != .shutdown else { return }
    let addresses = balancer.ready
    if addresses != ready.map(\.address) {
      ready = addresses.compactMap { subchannels[$0] }
      // Clients that were started together do not all begin with the same server.
      turn = ready.count > 1 ? Int(sharedLimits.random.below(UInt64(ready.count))) : 0
    }
    failure = balancer.failure
    var new = balancer.state
    if new != .idle, !resolution.hasAddresses, let why = resolution.failure {
      new = .transientFailure
      failure = why
    }
    if new != state {
      state = new
      onChange(new, failure)
    }
    switch new {
    case .ready:
      hasRoom()
    case .transientFailure:
      refuseWaiting(.unreachable(failure)) { !$0.waitsForReady }
    case .idle where !queue.isEmpty:
      // The connection was lost before it took them.
      loop.execute { self.wake() }
    default:
      break
    }
  }

  private func refuseWaiting(_ reason: StreamClosure, where isMeant: (ClientHTTP2Stream) -> Bool) {
    for stream in queue.removeAll(where: isMeant) { refuse(stream, reason) }
  }

  // MARK: Addresses

  /// Asks for the addresses, unless somebody has lately.
  private func resolve() {
    guard state != .shutdown else { return }
    switch target.place {
    case .addresses(let addresses):
      if !resolution.hasAddresses { take(addresses) }
    case .resolver(let resolver):
      guard !resolution.isUnderWay, resolution.timer == nil else { return }
      let wait = resolution.wait(loop.now(), limits.minResolutionInterval)
      if wait == .zero { ask(resolver) } else { ask(resolver, after: wait) }
    }
  }

  private func ask(_ resolver: any AddressResolver, after wait: Duration) {
    resolution.timer = loop.schedule(after: wait) { [weak self] in
      guard let self else { return }
      self.resolution.timer = nil
      // Nobody needs addresses of a channel that idles; whoever wakes it asks again.
      if self.state != .idle, self.state != .shutdown { self.ask(resolver) }
    }
  }

  private func ask(_ resolver: any AddressResolver) {
    resolution.isUnderWay = true
    resolver.resolve(on: loop, serviceConfig: lookup?.find) { [weak self] answer in
      guard let self, self.state != .shutdown else { return }
      self.resolution.isUnderWay = false
      do throws(ResolutionFailure) {
        try self.take(answer.get())
      } catch {
        self.resolution.failure = error.description
        self.sharedLimits.census.resolved("Resolution failed: \(error)", severity: .warning)
        self.ask(resolver, after: self.resolution.nextBackoff())
        self.refresh()
        self.lookup?.live.giveUp()
      }
    }
  }

  /// - Throws: if the target has a service config that cannot be used, and none was known before.
  private func take(_ found: Resolved) throws(ResolutionFailure) {
    var new = knownConfig
    switch found.serviceConfig {
    case nil: break
    case .success(let config): new = .some(config)
    case .failure(let error):
      sharedLimits.census.resolved("Service config: \(error)", severity: .warning)
      guard new != nil else { throw error }
    }
    resolution.succeeded(at: loop.now())
    knownConfig = new
    if let lookup, let new {
      use(new ?? lookup.fallback ?? ServiceConfig())
      take(found.addresses)
      // Calls that waited for it are opened now.
      lookup.live.set(new ?? lookup.fallback)
    } else {
      take(found.addresses)
    }
  }

  /// Balances by another config from now on. What is connected is given up, if it is not balanced as before; requests
  /// under way go on.
  private func use(_ new: ServiceConfig) {
    let old = config
    config = new
    guard new.loadBalancing != old.loadBalancing || new.healthCheckedService != old.healthCheckedService else { return }
    dismantle()
    balancer = new.balancer(sharedLimits.random)
    if state != .idle { act(balancer.wake()) }
  }

  private func take(_ addresses: [SocketAddress]) {
    var unique: [SocketAddress] = []
    for address in addresses where !unique.contains(address) { unique.append(address) }
    resolution.hasAddresses = true
    if Set(subchannels.keys) != Set(unique) {
      sharedLimits.census.resolved("Addresses: \(unique.map { "\($0)" }.joined(separator: ", "))")
    }
    let gone = subchannels.filter { !unique.contains($0.key) }
    for (address, subchannel) in gone {
      subchannels[address] = nil
      subchannel.close()
    }
    for address in unique where subchannels[address] == nil {
      subchannels[address] = Subchannel(address, channel: self)
    }
    act(balancer.resolved(unique))
  }

  // MARK: Idling

  private func beginIdling() {
    lastUsed = loop.tickTime
    guard idleTimer == nil, state != .shutdown, let timeout = limits.clientIdleTimeout else { return }
    idle(after: timeout)
  }

  private func idle(after wait: Duration) {
    idleTimer = loop.schedule(after: wait) { [weak self] in
      guard let self else { return }
      self.idleTimer = nil
      // Used, or used again: it begins anew with the last request's end.
      guard self.active == 0, let timeout = self.limits.clientIdleTimeout else { return }
      let left = Duration.nanoseconds(self.lastUsed - self.loop.now()) + timeout
      if left > .zero { self.idle(after: left) } else { self.fallIdle() }
    }
  }

  /// Forgets everything but the target: the next request begins with its resolution.
  private func fallIdle() {
    dismantle()
    resolution.forget()
    balancer = config.balancer(sharedLimits.random)
    refresh()
  }

  private func dismantle() {
    attemptTimer?.cancel()
    attemptTimer = nil
    let all = subchannels.values
    subchannels = [:]
    ready = []
    for subchannel in all { subchannel.close() }
  }

  // MARK: The end

  func connectionBegan() { connections += 1 }

  func connectionEnded() {
    connections -= 1
    if state == .shutdown { finishClosing() }
  }

  /// Refuses what waits and what comes; calls `completion` when the requests under way have ended.
  func close(completion: @escaping @Sendable () -> Void) {
    whenClosed.append(completion)
    if state != .shutdown {
      state = .shutdown
      onChange(.shutdown, "")
      idleTimer?.cancel()
      resolution.forget()
      refuseWaiting(.shutdown) { _ in true }
      dismantle()
    }
    finishClosing()
  }

  private func finishClosing() {
    guard connections == 0 else { return }
    let completions = whenClosed
    whenClosed = []
    for completion in completions { completion() }
  }
}
