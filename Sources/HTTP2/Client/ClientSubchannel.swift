internal import Base
internal import RPC

/// The connection of a client on one loop: made when a request needs it, made again when it is lost. Confined to the
/// loop.
///
/// Without a connection a request waits, at most until the attempt has failed with every address. Then all that wait
/// are closed with `.unreachable`, and so is what comes during the backoff: a caller who wants to wait can try again.
final class ClientSubchannel: @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement.

  private enum State {
    /// No connection, and no request for one.
    case idle
    case resolving
    /// An attempt is under way; these addresses are left.
    case connecting(ClientConnection?, rest: [SocketAddress])
    case ready(ClientConnection)
    /// The last attempt failed for this reason.
    case backingOff(String)
    case closed
  }

  let loop: EventLoop
  private let target: ClientTarget
  private let tls: TLSClientConfiguration?
  private let sharedLimits: SharedLimits
  private var backoff: ConnectionBackoff
  private var state = State.idle
  private var waiting: [ClientHTTP2Stream] = []
  /// Connections that may not be used for new requests and still carry old ones.
  private var retiring: [ClientConnection] = []
  private var whenClosed: [@Sendable () -> Void] = []

  init(
    loop: EventLoop, target: ClientTarget, tls: TLSClientConfiguration?, limits: SharedLimits, random: any RandomSource
  ) {
    self.loop = loop
    self.target = target
    self.tls = tls
    sharedLimits = limits
    backoff = ConnectionBackoff(limits: limits.values, random: random)
  }

  // MARK: Requests

  func open(_ head: RequestHead, _ handler: any ClientStreamHandler) -> ClientHTTP2Stream {
    let stream = ClientHTTP2Stream(head, subchannel: self, handler: handler)
    switch state {
    case .ready(let connection) where waiting.isEmpty && connection.room > 0:
      if !connection.open(stream) {
        wait(stream)
        reconnect()
      }
    case .ready, .resolving, .connecting:
      wait(stream)
    case .idle:
      wait(stream)
      connect()
    case .backingOff(let why):
      refuse(stream, .unreachable(why))
    case .closed:
      refuse(stream, .shutdown)
    }
    return stream
  }

  private func wait(_ stream: ClientHTTP2Stream) {
    if waiting.count < sharedLimits.values.maxQueuedRequests {
      waiting.append(stream)
    } else {
      refuse(stream, .refused)
    }
  }

  /// Never inside of `open`: the caller does not have its stream yet.
  private func refuse(_ stream: ClientHTTP2Stream, _ reason: StreamClosure) {
    let refused = Confined(stream: stream)
    loop.execute { refused.stream.close(reason) }
  }

  /// A request that waits is given up.
  func abandon(_ stream: ClientHTTP2Stream, _ code: ResetCode) {
    waiting.removeAll { $0 === stream }
    refuse(stream, .reset(code))
  }

  private struct Confined: @unchecked Sendable {
    // Unchecked because it only travels to the same loop.
    let stream: ClientHTTP2Stream
  }

  private func openWaiting(_ connection: ClientConnection) {
    var opened = 0
    while opened < waiting.count, connection.room > 0, connection.open(waiting[opened]) { opened += 1 }
    waiting.removeFirst(opened)
  }

  private func refuseWaiting(_ reason: StreamClosure) {
    let refused = waiting
    waiting = []
    for stream in refused { stream.close(reason) }
  }

  // MARK: Connecting

  private func connect() {
    switch target.place {
    case .address(let address):
      tryNext([address], why: "")
    case .name(let host, let port):
      state = .resolving
      NameResolver.resolve(host, port: port, on: loop) { [weak self] answer in self?.resolved(answer) }
    }
  }

  private func resolved(_ answer: NameResolver.Answer) {
    guard case .resolving = state else { return }
    switch answer {
    case .success(let addresses): tryNext(addresses, why: "")
    case .failure(let error): attemptFailed("\(error)")
    }
  }

  /// - Parameter why: the reason why the address before failed.
  private func tryNext(_ addresses: [SocketAddress], why: String) {
    var why = why
    var rest = addresses[...]
    while let address = rest.popFirst() {
      do {
        let socket = try Socket.connect(to: address)
        let channel = try ByteChannel(socket, tls: tls?.context, serverName: tls?.serverName ?? target.host)
        let connection = ClientConnection(
          to: address, loop: loop, channel: channel, subchannel: self, tls: tls, limits: sharedLimits)
        state = .connecting(connection, rest: Array(rest))
        try connection.start(timeout: sharedLimits.values.connectTimeout)
        return
      } catch {
        why = "\(address): \(error)"
      }
    }
    attemptFailed(why)
  }

  private func attemptFailed(_ why: String) {
    state = .backingOff(why)
    _ = loop.schedule(after: backoff.next()) { [weak self] in
      guard let self, case .backingOff = self.state else { return }
      self.state = .idle
    }
    refuseWaiting(.unreachable(why))
  }

  // MARK: From the connections

  /// The connection is ready, or a stream of it has ended.
  func connectionHasRoom(_ connection: ClientConnection) {
    if case .connecting(let pending, _) = state, pending === connection {
      state = .ready(connection)
      backoff.reset()
    }
    guard case .ready(let current) = state, current === connection, !waiting.isEmpty else { return }
    // Not inside of the session's callback that led here.
    loop.execute { self.openWaiting(connection) }
  }

  /// The server has announced its end: other requests need another connection.
  func connectionRetires(_ connection: ClientConnection) {
    guard case .ready(let current) = state, current === connection else { return }
    retiring.append(connection)
    state = .idle
    if !waiting.isEmpty { loop.execute { self.reconnect() } }
  }

  private func reconnect() {
    if case .idle = state, !waiting.isEmpty { connect() }
  }

  func connectionEnded(_ connection: ClientConnection, _ reason: StreamClosure) {
    retiring.removeAll { $0 === connection }
    switch state {
    case .connecting(let pending, let rest) where pending === connection:
      let why = if case .connectionLost(let why) = reason { why } else { "\(reason)" }
      tryNext(rest, why: "\(connection.address): \(why)")
    case .ready(let current) where current === connection:
      state = .idle
      if !waiting.isEmpty { loop.execute { self.reconnect() } }
    case .closed:
      finishClosing()
    default:
      break
    }
  }

  // MARK: The end

  /// Refuses what waits and what comes; calls `completion` when the requests under way have ended.
  func close(completion: @escaping @Sendable () -> Void) {
    whenClosed.append(completion)
    let before = state
    state = .closed
    refuseWaiting(.shutdown)
    switch before {
    case .ready(let connection):
      retiring.append(connection)
      connection.retire()
    case .connecting(let connection?, _):
      connection.close(.shutdown)
    default:
      break
    }
    finishClosing()
  }

  private func finishClosing() {
    guard retiring.isEmpty else { return }
    let completions = whenClosed
    whenClosed = []
    for completion in completions { completion() }
  }
}
