internal import Base
internal import RPC

/// The connection to one address: made when the load balancer wants it, and after a failure not again before its
/// backoff is over. Confined to the loop.
final class Subchannel: @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement.

  enum State {
    case idle
    case connecting(ClientConnection)
    case ready(ClientConnection)
    /// Until the timer goes off.
    case backingOff(any ScheduledWork)
    /// Not of use any more.
    case closed
  }

  let address: SocketAddress
  // A cycle until the channel lets go of the subchannel.
  private let channel: ClientChannel
  private var backoff: ConnectionBackoff
  private(set) var state = State.idle
  /// Before this time there is no further attempt, in nanoseconds of the loop's clock.
  private var nextAttempt: Int64 = 0
  private var health: HealthWatch?

  init(_ address: SocketAddress, channel: ClientChannel) {
    self.address = address
    self.channel = channel
    backoff = ConnectionBackoff(limits: channel.sharedLimits.values, random: channel.sharedLimits.random)
    census.began(self)
  }

  private var census: ConnectionCensus { channel.sharedLimits.census }

  /// Tells operators and the channel.
  private func changed(_ new: SubchannelState) {
    census.changed(self, new)
    channel.changed(self, new)
  }

  // MARK: From the channel

  /// Begins an attempt, if there is neither a connection nor one under way.
  func connect() {
    guard case .idle = state else { return }
    let limits = channel.sharedLimits
    // From its beginning, not its end, to the next (gRPC's doc/connection-backoff.md).
    nextAttempt = channel.loop.now() + backoff.next().inNanoseconds
    do {
      let socket = try Socket.connect(to: address)
      let bytes = try ByteChannel(
        socket, tls: channel.tls?.context, serverName: channel.tls?.serverName ?? channel.target.host)
      let connection = ClientConnection(
        loop: channel.loop, channel: bytes, subchannel: self, tls: channel.tls, limits: limits)
      try connection.start(timeout: limits.values.connectTimeout)
      state = .connecting(connection)
      census.changed(self, .connecting)
      channel.connectionBegan()
    } catch {
      failed("\(error)")
    }
  }

  /// Gives an attempt up.
  func disconnect() {
    guard case .connecting(let connection) = state else { return }
    state = .idle
    census.changed(self, .idle)
    connection.close(.shutdown)
  }

  /// Ends the connection with its last request.
  func close() {
    let before = state
    state = .closed
    census.ended(self)
    endHealthWatch()
    switch before {
    case .connecting(let connection): connection.close(.shutdown)
    case .ready(let connection): connection.retire()
    case .backingOff(let timer): timer.cancel()
    case .idle, .closed: break
    }
  }

  /// - Returns: false if the connection takes no request now.
  func open(_ stream: ClientHTTP2Stream) -> Bool {
    guard case .ready(let connection) = state, connection.room > 0 else { return false }
    return connection.open(stream)
  }

  // MARK: From the connection

  /// The server has shown that it is one.
  func connectionReady(_ connection: ClientConnection) {
    guard case .connecting(let pending) = state, pending === connection else { return }
    state = .ready(connection)
    backoff.reset()
    guard let service = channel.healthCheckService else { return changed(.ready) }
    // Connecting, until the server says how it is.
    health = HealthWatch(
      connection, service: service, authority: channel.authority, scheme: channel.tls == nil ? "http" : "https",
      limits: channel.sharedLimits
    ) { [weak self] report in
      guard let self, case .ready(let current) = self.state, current === connection else { return }
      self.changed(report)
    }
  }

  func connectionHasRoom(_ connection: ClientConnection) {
    if case .ready(let current) = state, current === connection { channel.hasRoom() }
  }

  /// The connection takes no more requests: others need another.
  func connectionRetires(_ connection: ClientConnection) {
    guard case .ready(let current) = state, current === connection else { return }
    state = .idle
    endHealthWatch()
    changed(.idle)
  }

  func connectionEnded(_ connection: ClientConnection, _ reason: StreamClosure) {
    switch state {
    case .connecting(let pending) where pending === connection:
      failed(reason.words)
    case .ready(let current) where current === connection:
      state = .idle
      endHealthWatch()
      changed(.idle)
    default:
      break
    }
    channel.connectionEnded()
  }

  private func failed(_ why: String) {
    let wait = Duration.nanoseconds(max(nextAttempt - channel.loop.now(), 0))
    let timer = channel.loop.schedule(after: wait) { [weak self] in
      guard let self, case .backingOff = self.state else { return }
      self.state = .idle
      self.changed(.idle)
    }
    state = .backingOff(timer)
    changed(.failed(why))
  }

  private func endHealthWatch() {
    health?.cancel()
    health = nil
  }
}

extension StreamClosure {
  /// The reason without the kind, where the kind is plain.
  fileprivate var words: String {
    if case .connectionLost(let why) = self { why } else { "\(self)" }
  }
}
