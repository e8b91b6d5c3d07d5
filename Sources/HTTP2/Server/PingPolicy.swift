/// Judges how often a client pings, as gRPC's servers do (proposal A8): each PING that comes too soon after the one
/// before is a strike, unless we have sent something for a stream meanwhile; with too many strikes the client must go.
struct PingPolicy {
  private var lastPing: Int64?
  private var strikes = 0

  /// Whether the client may go on after a PING at `now`, in nanoseconds.
  /// - Parameter isForgiven: whether something was sent for a stream since the last PING: clients that measure their
  ///   window then send one.
  mutating func admits(_ now: Int64, isForgiven: Bool, hasStreams: Bool, _ limits: HTTP2Limits) -> Bool {
    defer { lastPing = now }
    if isForgiven {
      strikes = 0
      return true
    }
    let interval =
      hasStreams || limits.permitsPingsWithoutStreams ? limits.minPingInterval : HTTP2Limits.idlePingInterval
    if let lastPing, Duration.nanoseconds(now - lastPing) < interval { strikes += 1 }
    return strikes <= limits.maxPingStrikes
  }
}
