public import Base
public import RPC

/// Carries requests to servers over HTTP/2: connections for each event loop that makes calls, made on demand.
///
/// ```swift
/// let transport = HTTP2ClientTransport(target: ClientTarget("dns:///shop.example:443")!, tls: tls, group: group)
/// let channel = RPCChannel(transport: transport, authority: transport.authority, scheme: "https")
/// …
/// await transport.shutdown()
/// ```
/// May be used from any thread.
public final class HTTP2ClientTransport: ClientTransport {
  private let group: EventLoopGroup
  let channels: [ClientChannel]
  private let board: StateBoard
  /// What to send as `:authority`.
  public let authority: String
  public let inspectionID = InspectionID.next()
  let targetText: String
  let census: ConnectionCensus
  public let isPrivate: Bool
  public let serviceConfig: ServiceConfig?
  public let liveServiceConfig: LiveServiceConfig?

  /// - Parameters:
  ///   - tls: nil for HTTP/2 in the clear with prior knowledge.
  ///   - serviceConfig: how requests are spread over the servers, and, for channels that do not say otherwise, deadlines,
  ///     waiting, retries and hedging.
  ///   - serviceConfigLookup: finds the config out together with the addresses of a target that is a name; what it finds
  ///     holds instead of `serviceConfig`. nil, as gRPC has it by default, asks nobody.
  ///   - random: gives the jitter of reconnecting.
  public convenience init(
    target: ClientTarget, tls: TLSClientConfiguration? = nil, serviceConfig: ServiceConfig? = nil,
    serviceConfigLookup: ServiceConfigLookup? = nil, limits: HTTP2Limits = HTTP2Limits(), group: EventLoopGroup,
    random: any RandomSource = SystemRandomSource()
  ) {
    self.init(
      target: target, tls: tls, serviceConfig: serviceConfig, serviceConfigLookup: serviceConfigLookup,
      shared: SharedLimits(limits, random: random), group: group)
  }

  init(
    target: ClientTarget, tls: TLSClientConfiguration?, serviceConfig: ServiceConfig?,
    serviceConfigLookup: ServiceConfigLookup? = nil, shared: SharedLimits, group: EventLoopGroup
  ) {
    self.group = group
    let authority = tls?.serverName ?? target.authority
    self.authority = authority
    targetText = target.description
    census = shared.census
    isPrivate = tls != nil || target.isLocal
    self.serviceConfig = serviceConfig
    let board = StateBoard(channels: group.loops.count)
    self.board = board
    let census = shared.census
    let lookup = ConfigLookup(serviceConfigLookup, target, fallback: serviceConfig)
    liveServiceConfig = lookup?.live
    channels = group.loops.enumerated().map { index, loop in
      ClientChannel(
        loop: loop, target: target, tls: tls, config: serviceConfig ?? ServiceConfig(), lookup: lookup,
        authority: authority, limits: shared
      ) { state, failure in
        if let sum = board.set(index, state) { census.changed(to: sum, why: failure) }
      }
    }
  }

  /// What the connections are doing: ready if one loop's are, failing if all fail that are wanted.
  public var state: ConnectivityState { board.sum }

  /// The present state and each new one, to the end of the transport. A reader that is slow misses the older ones.
  public func states() -> AsyncStream<ConnectivityState> { board.updates() }

  /// Has connections made before the first request needs them.
  public func connect() {
    for channel in channels { channel.loop.execute { channel.wake() } }
  }

  public func executor() -> any CallExecutor { group.next() }

  public func open(
    _ head: RequestHead, waitsForReady: Bool, on executor: any CallExecutor, handler: any ClientStreamHandler
  ) -> any ClientStream {
    channel(executor).open(head, waitsForReady: waitsForReady, handler)
  }

  public func prepare(on executor: any CallExecutor) { channel(executor).wake() }

  private func channel(_ executor: any CallExecutor) -> ClientChannel {
    guard let channel = channels.first(where: { $0.loop === executor }) else {
      preconditionFailure("the executor is not one of this transport's group")
    }
    assert(executor.isCurrent)
    return channel
  }

  public func shutdown() async {
    if let liveServiceConfig {
      // Calls that wait for it learn that nobody takes them any more.
      for channel in channels { await channel.loop.value { channel.close {} } }
      liveServiceConfig.giveUp()
    }
    for channel in channels {
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        channel.loop.execute { channel.close { done.resume() } }
      }
    }
  }
}
