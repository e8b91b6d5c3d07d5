/// How many WINDOW_UPDATE a peer has good reason to send: it gives back what was sent to it, at most once for each message
/// and window. All others carry nothing forward, or so little that they cost more than they bring.
struct WindowUpdateCredit {
  /// Octets that were sent and are not matched by updates.
  private var left = 0
  /// What had been sent when the last update came.
  private var seen = 0

  /// Whether one more is within reason.
  /// - Parameter sent: octets of DATA that were sent so far.
  mutating func covers(sent: Int) -> Bool {
    left = min(left + sent - seen, HTTP2Limits.maxWindowUpdateCredit)
    seen = sent
    guard left >= HTTP2Limits.octetsPerWindowUpdate else { return false }
    left -= HTTP2Limits.octetsPerWindowUpdate
    return true
  }
}
