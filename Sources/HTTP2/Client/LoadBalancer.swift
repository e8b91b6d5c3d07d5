internal import RPC

/// What a subchannel, the connection to one address, is doing.
enum SubchannelState: Equatable {
  /// There is no connection, and nothing forbids to make one.
  case idle
  case connecting
  /// It takes requests.
  case ready
  /// It does not for this reason: no connection could be made, or the server says that it is not well.
  case failed(String)
}

/// What a load balancer wants done.
enum BalancerAction: Equatable {
  case connect(SocketAddress)
  /// Give an attempt to connect up.
  case disconnect(SocketAddress)
  /// Call `attemptDelayPassed` when the delay between two attempts has passed; the timer may run already.
  case startAttemptTimer
  case stopAttemptTimer
  /// The addresses may be outdated.
  case resolve
}

/// Decides which of a target's addresses are connected to, and which get the requests. A value without timers and
/// sockets: it is told what happens and answers with what is to be done.
protocol LoadBalancer {
  /// The target's addresses, the best first; at least one.
  mutating func resolved(_ addresses: [SocketAddress]) -> [BalancerAction]
  /// A subchannel has changed by itself.
  mutating func changed(_ address: SocketAddress, _ state: SubchannelState) -> [BalancerAction]
  mutating func attemptDelayPassed() -> [BalancerAction]
  /// Somebody wants a connection.
  mutating func wake() -> [BalancerAction]

  var state: ConnectivityState { get }
  /// The addresses that requests go to, in turn.
  var ready: [SocketAddress] { get }
  /// Why there are none, in `.transientFailure`.
  var failure: String { get }
}
