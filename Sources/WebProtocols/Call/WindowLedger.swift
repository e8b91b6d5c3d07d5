/// Translates what the core says it has consumed into what the peer may send again: the core counts the octets that it
/// was given, the transport those that came.
struct WindowLedger {
  /// Octets that came and are held in the core in another form.
  private var received = 0
  /// Octets that the core was given for them and has not consumed.
  private var given = 0

  /// By how many octets what the core holds is longer than it came.
  var excess: Int { max(given - received, 0) }

  /// `received` octets of the body became `given` octets for the core.
  mutating func record(received: Int, given: Int) {
    self.received += received
    self.given += given
  }

  /// The core has consumed `count` of its octets.
  /// - Returns: how many octets that makes for the transport. All are returned when the core holds nothing.
  mutating func consume(_ count: Int) -> Int {
    precondition(count <= given, "the core consumed more than it was given")
    let share = count == given ? received : Int(Int128(received) * Int128(count) / Int128(given))
    given -= count
    received -= share
    return share
  }
}
