/// The client's limits, with their reasons.
struct NATSLimits: Sendable {
  /// Bytes of a message, in both directions: what a NATS server takes by default.
  var messageBytes = 1 << 20

  /// Bytes of a line of the protocol. INFO is the longest: it names all servers of a cluster.
  var lineBytes = 65_536

  /// Bytes that wait for the socket; messages beyond are dropped. A second's worth of what a small server takes.
  var outputBytes = 8 << 20

  /// Bytes that are read at a time.
  var readBytes = 65_536

  /// Servers in a URL.
  var servers = 64

  /// From the first packet to the answer to the first ping.
  var connectTimeout = Duration.seconds(5)

  /// How long nothing may come from the server before it is pinged.
  var pingInterval = Duration.seconds(10)

  /// How long an answer to that ping may take before the server counts as dead.
  var pingTimeout = Duration.seconds(5)

  /// The wait before the second attempt to connect; doubled with each further one.
  var firstReconnectDelay = Duration.milliseconds(50)

  /// The longest wait between two attempts.
  var longestReconnectDelay = Duration.seconds(2)

  /// Reasons that are told of why no server can be reached, until one is. A cluster's servers may fail for one each.
  var reasonsTold = 8

  /// The wait after so many attempts in a row that came to nothing.
  func reconnectDelay(afterFailures count: Int) -> Duration {
    min(firstReconnectDelay * (1 << min(max(count - 1, 0), 16)), longestReconnectDelay)
  }
}
