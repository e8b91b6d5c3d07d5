internal import Base
internal import RPC

/// Keepalive, idling, age and stalled streams: what `ConnectionCare` decides is done here.
extension Connection {
  /// The peer has shown that it speaks HTTP/2.
  func beginCare() {
    let rules = careRules
    guard !rules.isEmpty else { return }
    care = ConnectionCare(now: loop.tickTime, rules, random: sharedLimits.random)
    waitForCare()
  }

  private func waitForCare() {
    let now = loop.now()
    guard let next = care.nextTime(now, careRules, hasStreams: !streams.isEmpty) else { return }
    careTimer = loop.schedule(after: .nanoseconds(max(next - now, 0))) { self.takeCare() }
  }

  private func takeCare() {
    careTimer = nil
    while state == .open, failure == nil {
      switch care.due(loop.tickTime, careRules, hasStreams: !streams.isEmpty) {
      case .none:
        return waitForCare()
      case .ping:
        session.ping(Self.alivePing)
        noteKeepalive()
        needsFlush()
      case .giveUp:
        return close(.connectionLost("no sign of life from the peer"))
      case .retire:
        retire()
      case .end:
        return cut()
      case .judgeStreams:
        endStalledStreams()
      case .judgeMessages:
        endSlowMessages()
      }
    }
  }

  /// Resets the streams whose peer has not taken enough of what waits since the last time.
  private func endStalledStreams() {
    guard let period = limits.stallTimeout else { return }
    let minimum = limits.minTaken(in: period)
    let stalled = streams.filter { $0.isStalled(minimum: minimum) }
    for stream in stalled { stream.reset(.enhanceYourCalm) }
  }

  /// Ends the calls of which a message comes too slowly.
  private func endSlowMessages() {
    guard let period = limits.messagePeriod else { return }
    // Of a connection's window, which other streams may hold, only HTTP/2 knows.
    let canSend = session.demand != .anything || session.receiveWindow > 0
    let rule = MessagePace.Rule(
      minimum: limits.minReceived(in: period), timeout: limits.messageTimeout.inNanoseconds, now: loop.tickTime)
    let slow = streams.filter { $0.isTooSlow(rule, canSend: canSend) }
    for stream in slow { stream.endForSlowness() }
  }

  private static let alivePing: UInt64 = 0x6f63_7465_745f_6b61

  // MARK: Windows

  /// Handlers have taken `count` bytes of a stream, whose window goes back to the peer.
  @inline(__always)
  final func gaveBack(_ count: Int) {
    hasSentForStream = true
    if window.took(count) { measureWindow() }
    needsFlush()
  }

  private func measureWindow() {
    window.asked(loop.now())
    session.ping(Self.windowPing)
  }

  func windowMeasured() {
    guard window.answered(loop.now()), failure == nil else { return }
    session.setReceiveWindow(stream: window.size, connection: limits.connectionWindow(besideStreamsOf: window.size))
    needsFlush()
  }

  static let windowPing: UInt64 = 0x6f63_7465_745f_6277
}
