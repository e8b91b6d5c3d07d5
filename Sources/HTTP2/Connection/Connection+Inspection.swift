internal import Base
internal import RPC

/// What operators see of a connection. On the loop.
extension Connection {
  func noteQueued(_ bytes: Int) {
    traffic.lastMessageSent = loop.tickTime
    queuedSinceFlush += bytes
    holding.queued += bytes
    if holding.queued - holding.settled > HTTP2Limits.unsettledBytes { settleHeld() }
  }
  func noteReceived() { traffic.lastMessageReceived = loop.tickTime }
  func noteKeepalive() { traffic.keepalivesSent += 1 }

  /// The name of the other end stands for the connection.
  func inspect() -> InspectedSocket {
    let remote = try? Socket.peerAddress(of: channel.descriptor)
    var socket = InspectedSocket(name: inspectionName)
    socket.local = (try? Socket.boundAddress(of: channel.descriptor))?.inspected
    socket.remote = remote?.inspected
    socket.tls = channel.tls?.inspect()
    var traffic = traffic
    for stream in streams { traffic.add(stream.progress.counts) }
    socket.streamsStarted = traffic.streamsStarted
    socket.streamsSucceeded = traffic.streamsSucceeded
    socket.streamsFailed = traffic.streamsFailed
    socket.messagesSent = traffic.messagesSent
    socket.messagesReceived = traffic.messagesReceived
    socket.keepalivesSent = traffic.keepalivesSent
    let lastStream = instant(traffic.lastStreamStarted)
    if isServer { socket.lastRemoteStream = lastStream } else { socket.lastLocalStream = lastStream }
    socket.lastMessageSent = instant(traffic.lastMessageSent)
    socket.lastMessageReceived = instant(traffic.lastMessageReceived)
    if state != .closed {
      socket.receiveWindow = session.receiveWindow
      socket.sendWindow = session.sendWindow
    }
    return socket
  }

  /// The calls on this connection since its beginning, also after its end.
  var callTotals: CallTotals {
    var totals = CallTotals()
    totals.started = traffic.streamsStarted
    totals.failed = traffic.callsFailed
    totals.succeeded = traffic.streamsSucceeded + traffic.streamsFailed - traffic.callsFailed
    totals.lastStarted = instant(traffic.lastStreamStarted)
    return totals
  }

  private func instant(_ time: Int64) -> Instant? {
    time == 0 ? nil : SystemClock().now() - .nanoseconds(loop.now() - time)
  }
}

extension SocketAddress {
  var inspected: InspectedAddress {
    switch self {
    case .ipv4(let octets, let port), .ipv6(let octets, let port): .ip(octets, port: port)
    case .unix(let path): .unix(path: path)
    }
  }
}

extension EventLoop {
  /// What `body` reads on the loop, which must not have been stopped.
  func value<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
      execute { continuation.resume(returning: body()) }
    }
  }
}
