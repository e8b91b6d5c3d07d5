internal import RPC

/// What a server holds for its peers on one loop, and who has to let go of it when that becomes too much.
///
/// The limit is shared out evenly among the loops, so that nothing here is atomic. Each connection counts for itself, in
/// its `Holding`, and says at the end of a tick what it holds now; with nothing held that is two comparisons.
///
/// Above three quarters of the limit those that hold most, times how long nothing of it has moved, let go of it, until
/// half of the limit is left. That finds peers who hold much, and peers who hold a little for ever; somebody who reads a
/// large answer as fast as his network allows comes last. Above the limit itself new requests of those who hold more than
/// `HTTP2Limits.unsettledBytes` are refused, which clients may repeat: it takes many requests at once that are small and
/// want much, and lasts for the tick in which they come.
final class HeldBytes: @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement to a loop.

  private let limit: Int
  /// What the connections hold, as they have said.
  @exclusivity(unchecked) private(set) var count = 0
  private var isRelieving = false
  private let connections: () -> [Connection]

  /// - Parameter connections: those that count here.
  init(limit: Int, connections: @escaping () -> [Connection]) {
    self.limit = limit
    self.connections = connections
  }

  /// Whether there is no room for more requests of those who hold something.
  @inline(__always)
  var isFull: Bool { count > limit }

  /// A connection holds so much more than it has said.
  func change(by difference: Int, on loop: EventLoop) {
    count += difference
    guard count > limit / 4 * 3, !isRelieving else { return }
    isRelieving = true
    // Not inside of a connection that is at work.
    loop.execute {
      self.relieve(at: loop.tickTime)
      self.isRelieving = false
    }
  }

  private func relieve(at now: Int64) {
    let connections = connections()
    for connection in connections { connection.settleHeld() }
    // The peers may have taken enough meanwhile.
    guard count > limit / 4 * 3 else { return }
    let holders = connections.filter { $0.holding.held > 0 }.map { ($0, $0.holding.weight(at: now)) }
    for (connection, _) in holders.sorted(by: { $0.1 > $1.1 }) {
      let excess = count - limit / 2
      guard excess > 0 else { return }
      connection.letGo(of: excess)
    }
  }
}

/// What one connection holds for its peer, and since when.
struct Holding {
  /// What its streams have queued so far, and how much of that is not theirs any more. Counted with every message. What
  /// a client's stream queues before it has a connection is left out: nobody bounds that here.
  var queued = 0
  var gone = 0
  /// What the heads of its streams' requests take.
  var heads = 0
  /// What the connection has said to hold.
  private(set) var held = 0
  /// `queued` at that time.
  private(set) var settled = 0
  /// All that was held at this time has moved on when so much has moved in all.
  private var since: Int64 = 0
  private var mark = 0

  /// Bytes that wait in the queues of streams.
  var waiting: Int { queued - gone }

  /// Notes what is held.
  /// - Parameters:
  ///   - rest: beside what waits in the queues of streams.
  ///   - consumed: what handlers have taken so far of what came in.
  ///   - isStuck: whether the socket takes nothing, so that what left the queues has not moved.
  /// - Returns: how much more that is than before.
  mutating func settle(_ rest: Int, consumed: Int, isStuck: Bool, at now: Int64) -> Int {
    let before = held
    held = waiting + rest
    settled = queued
    let moved = gone + consumed
    if before == 0 || !isStuck && moved >= mark {
      since = now
      mark = moved + held
    }
    return held - before
  }

  /// How much it is to a server that this is held: bytes times the nanoseconds that nothing of it has moved.
  func weight(at now: Int64) -> Double { Double(held) * Double(max(now - since, 1)) }
}

extension Connection {
  /// Says what is held now.
  final func settleHeld() {
    let isOpen = state == .open
    let rest = isOpen ? session.heldBytes + holding.heads + (pending.isEmpty ? 0 : pending.count) : 0
    guard rest > 0 || holding.waiting > 0 || holding.held > 0 else { return }
    let difference = holding.settle(
      rest, consumed: isOpen ? session.consumedBytes : 0, isStuck: !pending.isEmpty, at: loop.tickTime)
    heldOnLoop.change(by: difference, on: loop)
  }

  /// Ends what it takes to hold less by `excess`: the streams that hold most, or all if the peer takes not even what its
  /// windows allow. What HTTP/1 has read before its time, while a request is under way, belongs to no stream.
  fileprivate final func letGo(of excess: Int) {
    guard pending.isEmpty else {
      return close(.connectionLost("the peer does not read, and much waits for it"))
    }
    if case .silence = session.demand {
      return close(.connectionLost("the peer sends much before its time"))
    }
    var left = excess
    for stream in streams.sorted(by: { $0.heldBytes > $1.heldBytes }) where left > 0 && stream.heldBytes > 0 {
      left -= stream.heldBytes
      streamsAtEnd += 1
      stream.reset(.enhanceYourCalm)
    }
    session.reportClosed()
    settleHeld()
  }
}
