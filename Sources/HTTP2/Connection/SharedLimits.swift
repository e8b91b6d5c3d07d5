internal import Base

/// What the connections of a server or client have in common: a copy of the limits would make each of them half a KB
/// larger.
final class SharedLimits: Sendable {
  /// The connections of a client; a server knows its own.
  let census = ConnectionCensus()
  let values: HTTP2Limits
  /// Gives jitter.
  let random: any RandomSource
  let serverCareRules: ConnectionCare.Rules
  /// For a server's connections of HTTP/1.
  let http1CareRules: ConnectionCare.Rules
  private let clientCare: Locked<ConnectionCare.Rules>

  init(_ values: HTTP2Limits, random: any RandomSource) {
    self.values = values
    self.random = random
    let serverRules = ConnectionCare.Rules.server(values)
    serverCareRules = serverRules
    http1CareRules = serverRules.withoutKeepAlive
    clientCare = Locked(.client(values))
  }

  var clientCareRules: ConnectionCare.Rules { clientCare.withLock { $0 } }

  /// A server has complained of the client's PINGs: all its connections take their time from now on.
  func slowKeepAliveDown() {
    clientCare.withLock { rules in
      rules.keepAliveTime = rules.keepAliveTime.map { min($0 * 2, HTTP2Limits.farthestTimer) }
    }
  }
}
