internal import Base

/// What the connections of a server or client have in common: a copy of the limits would make each of them half a KB
/// larger.
final class SharedLimits: Sendable {
  /// Makes a connection's session, which has the connection as its delegate. On the loop.
  typealias EngineMaker = @Sendable (Connection) -> any SessionEngine

  /// The connections of a client; a server knows its own.
  let census = ConnectionCensus()
  let values: HTTP2Limits
  /// Gives jitter.
  let random: any RandomSource
  let serverCareRules: ConnectionCare.Rules
  /// For a server's connections of HTTP/1.
  let http1CareRules: ConnectionCare.Rules
  /// Gives each connection the session that it begins with.
  let makeEngine: EngineMaker
  private let clientCare: Locked<ConnectionCare.Rules>

  init(
    _ values: HTTP2Limits, random: any RandomSource,
    engine: @escaping EngineMaker = {
      HTTP2Session(role: $0.role, limits: $0.sharedLimits, memory: $0.loop.sessionMemory, delegate: $0)
    }
  ) {
    self.values = values
    self.random = random
    makeEngine = engine
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
