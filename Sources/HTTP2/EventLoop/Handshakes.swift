internal import Base
internal import RPC

/// The TLS handshakes that clients have begun on one loop. Confined to it.
///
/// A handshake costs some hundred times as much CPU as a call, and anybody can begin one. So in each tick they get a
/// share of time only, and the connections that are open their turn after it; sockets whose handshake has to wait stay
/// readable, and epoll tells of them again. And as each one takes tens of KB, there is a limit to how many are
/// unfinished at a time: one that is picked at random makes way, which in a flood is mostly one of the flood.
final class Handshakes {
  private var unfinished: [Connection] = []
  private var tick: UInt64 = 0
  private var spent: Int64 = 0

  var count: Int { unfinished.count }

  /// A handshake begins, and will not be finished before `remove`.
  func add(_ connection: Connection, limit: Int, random: any RandomSource) {
    if unfinished.count >= max(limit, 1) {
      unfinished[Int(random.below(UInt64(unfinished.count)))].close(.connectionLost("too many handshakes"))
    }
    connection.handshakeIndex = unfinished.count
    unfinished.append(connection)
  }

  /// The handshake has succeeded or failed. Harmless when repeated.
  func remove(_ connection: Connection) {
    guard let index = connection.handshakeIndex else { return }
    connection.handshakeIndex = nil
    let last = unfinished.removeLast()
    if last !== connection {
      unfinished[index] = last
      last.handshakeIndex = index
    }
  }

  /// Whether there is time left in this tick for a step of a handshake.
  func mayGoOn(_ loop: EventLoop) -> Bool {
    if tick != loop.tickNumber {
      tick = loop.tickNumber
      spent = 0
    }
    return spent < HTTP2Limits.handshakeTimePerTick.inNanoseconds
  }

  /// Notes what a step took.
  func spend(_ nanoseconds: Int64) {
    spent += nanoseconds
  }
}
