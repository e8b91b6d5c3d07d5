public import Base
public import RPC

/// Carries requests to a server over HTTP/2: one connection for each event loop that makes calls, made on demand.
///
/// ```swift
/// let transport = HTTP2ClientTransport(target: ClientTarget("127.0.0.1:8080")!, group: group)
/// let channel = RPCChannel(transport: transport)
/// …
/// await transport.shutdown()
/// ```
/// May be used from any thread.
public final class HTTP2ClientTransport: ClientTransport {
  private let group: EventLoopGroup
  private let subchannels: [ClientSubchannel]
  /// What to send as `:authority`.
  public let authority: String
  public let inspectionID = InspectionID.next()
  let targetText: String
  let census: ConnectionCensus

  /// - Parameters:
  ///   - tls: nil for HTTP/2 in the clear with prior knowledge.
  ///   - random: gives the jitter of reconnecting.
  public init(
    target: ClientTarget, tls: TLSClientConfiguration? = nil, limits: HTTP2Limits = HTTP2Limits(),
    group: EventLoopGroup, random: any RandomSource = SystemRandomSource()
  ) {
    self.group = group
    authority = tls?.serverName ?? target.authority
    let limits = SharedLimits(limits, random: random)
    targetText = target.description
    census = limits.census
    subchannels = group.loops.map {
      ClientSubchannel(loop: $0, target: target, tls: tls, limits: limits, random: random)
    }
  }

  public func executor() -> any CallExecutor { group.next() }

  public func open(
    _ head: RequestHead, waitsForReady: Bool, on executor: any CallExecutor, handler: any ClientStreamHandler
  ) -> any ClientStream {
    guard let subchannel = subchannels.first(where: { $0.loop === executor }) else {
      preconditionFailure("the executor is not one of this transport's group")
    }
    assert(executor.isCurrent)
    return subchannel.open(head, handler)
  }

  public func shutdown() async {
    for subchannel in subchannels {
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        subchannel.loop.execute { subchannel.close { done.resume() } }
      }
    }
  }
}
