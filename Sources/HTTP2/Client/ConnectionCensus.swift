internal import Base
internal import RPC

/// What operators can see of a client: its subchannels and connections, on all its loops, what happened to them, and what
/// those that are gone have counted. Safe to share between threads.
final class ConnectionCensus: Sendable {
  private struct State {
    var trace: InspectedTrace
    var connections: [Int64: ClientConnection] = [:]
    /// By address; it stays when its connections are gone.
    var places: [SocketAddress: Place] = [:]
    /// What was counted at addresses that are forgotten.
    var forgottenCalls = CallTotals()
  }

  /// What is known of an address: one subchannel for operators, though each loop has its own.
  private struct Place {
    let name: InspectionName
    var trace: InspectedTrace
    var closedCalls = CallTotals()
    /// Of the loops' subchannels.
    var states: [ObjectIdentifier: ConnectivityState] = [:]

    var state: ConnectivityState { .sum(of: states.values) }

    /// - Parameter why: the reason of a failure.
    mutating func change(_ subchannel: ObjectIdentifier, to new: ConnectivityState?, why: String?, at now: Instant) {
      let before = state
      states[subchannel] = new
      if state != before { trace.add(.change(to: state, why, now)) }
    }
  }

  private let clock: any WallClock
  private let state: Locked<State>

  init(clock: any WallClock = SystemClock()) {
    self.clock = clock
    state = Locked(State(trace: InspectedTrace(created: clock.now())))
  }

  // MARK: What happens

  /// The channel as a whole has changed.
  func changed(to new: ConnectivityState, why: String?) {
    let now = clock.now()
    state.withLock { $0.trace.add(.change(to: new, why, now)) }
  }

  /// There is news of the target's addresses.
  func resolved(_ text: String, severity: InspectedEvent.Severity = .info) {
    let event = InspectedEvent(text, severity: severity, time: clock.now())
    state.withLock { $0.trace.add(event) }
  }

  /// A loop has a subchannel for an address.
  func began(_ subchannel: Subchannel) {
    let now = clock.now()
    let id = ObjectIdentifier(subchannel)
    let address = subchannel.address
    state.withLock { state in
      if state.places[address] == nil {
        guard state.places.count < HTTP2Limits.inspectedAddresses || Self.forgetOne(&state) else { return }
        let name = InspectionName(id: InspectionID.next(), text: "\(address)")
        state.places[address] = Place(name: name, trace: InspectedTrace(created: now))
        state.trace.add(InspectedEvent("Subchannel created", time: now, subchannel: name))
      }
      state.places[address]?.change(id, to: .idle, why: nil, at: now)
    }
  }

  func changed(_ subchannel: Subchannel, _ new: SubchannelState) {
    let (connectivity, why): (ConnectivityState, String?) =
      switch new {
      case .idle: (.idle, nil)
      case .connecting: (.connecting, nil)
      case .ready: (.ready, nil)
      case .failed(let why): (.transientFailure, why)
      }
    let now = clock.now()
    let id = ObjectIdentifier(subchannel)
    state.withLock { $0.places[subchannel.address]?.change(id, to: connectivity, why: why, at: now) }
  }

  /// A loop has let go of a subchannel; its connection may go on to the end of its requests.
  func ended(_ subchannel: Subchannel) {
    let now = clock.now()
    let id = ObjectIdentifier(subchannel)
    state.withLock { $0.places[subchannel.address]?.change(id, to: nil, why: nil, at: now) }
  }

  /// A connection was made.
  func add(_ connection: ClientConnection) {
    state.withLock { $0.connections[connection.inspectionID] = connection }
  }

  /// A connection has ended, or an attempt to make one. On its loop.
  func remove(_ connection: ClientConnection) {
    state.withLock { state in
      guard state.connections.removeValue(forKey: connection.inspectionID) != nil else { return }
      if state.places[connection.address] == nil {
        state.forgottenCalls += connection.callTotals
      } else {
        state.places[connection.address]?.closedCalls += connection.callTotals
      }
    }
  }

  /// Makes room for another address, if there is one that nobody uses any more.
  /// - Returns: whether there was.
  private static func forgetOne(_ state: inout State) -> Bool {
    let used = Set(state.connections.values.map(\.address))
    let oldest = state.places.filter { $0.value.states.isEmpty && !used.contains($0.key) }
      .min { $0.value.name.id < $1.value.name.id }
    guard let (address, place) = oldest else { return false }
    state.places[address] = nil
    state.forgottenCalls += place.closedCalls
    return true
  }

  // MARK: What is asked

  /// The channel, with a subchannel for each address.
  /// - Parameter state: of the channel.
  func inspect(name: InspectionName, state connectivity: ConnectivityState) async -> InspectedChannel {
    let (connections, places, trace, forgotten) = state.withLock {
      ($0.connections, $0.places, $0.trace, $0.forgottenCalls)
    }
    var channel = InspectedChannel(
      name: name, target: name.text, state: connectivity, trace: trace, calls: forgotten, subchannels: [])
    for (address, place) in places.sorted(by: { $0.value.name.id < $1.value.name.id }) {
      var calls = place.closedCalls
      var sockets: [InspectedSocket] = []
      for (_, connection) in connections.sorted(by: { $0.key < $1.key }) where connection.address == address {
        let (socket, totals) = await connection.loop.value { (connection.inspect(), connection.callTotals) }
        calls += totals
        sockets.append(socket)
      }
      channel.calls += calls
      channel.subchannels.append(
        InspectedSubchannel(
          name: place.name, target: place.name.text, state: place.state, trace: place.trace, calls: calls,
          sockets: sockets))
    }
    return channel
  }
}

extension InspectedEvent {
  fileprivate static func change(to state: ConnectivityState, _ why: String?, _ now: Instant) -> InspectedEvent {
    let isFailure = state == .transientFailure
    let reason = isFailure ? why.map { ": \($0)" } ?? "" : ""
    return InspectedEvent(
      "State change to \(state.words)\(reason)", severity: isFailure ? .warning : .info, time: now)
  }
}
