internal import Base
internal import RPC
internal import StandardServicesAPI

/// Watches the health of a server over its connection (grpc.health.v1, gRPC's doc/health-checking.md). Confined to the
/// connection's loop.
///
/// A server without the health service counts as well. One whose answers end is asked again: at once if it had
/// answered, else when a backoff is over.
final class HealthWatch: @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement.

  private let client: HealthClient
  private let service: String
  private let loop: EventLoop
  private let report: (SubchannelState) -> Void
  private var backoff: ConnectionBackoff
  private var task: Task<Void, Never>?
  private var timer: (any ScheduledWork)?

  /// Begins at once.
  /// - Parameter report: hears `.ready` or `.failed`, on the loop.
  init(
    _ connection: ClientConnection, service: String, authority: String, scheme: String, limits: SharedLimits,
    report: @escaping (SubchannelState) -> Void
  ) {
    let transport = ConnectionTransport(connection: connection)
    client = HealthClient(RPCChannel(transport: transport, authority: authority, scheme: scheme))
    self.service = service
    self.report = report
    loop = connection.loop
    backoff = ConnectionBackoff(limits: limits.values, random: limits.random)
    watch()
  }

  func cancel() {
    timer?.cancel()
    task?.cancel()
  }

  private func watch() {
    task = Task(executorPreference: loop) { await self.run() }
  }

  private func run() async {
    var request = HealthCheckRequest()
    request.service = service
    let call = client.watch(request)
    var hasAnswered = false
    var why = "the health watch has ended"
    do {
      while let answer = try await call.responses.next() {
        hasAnswered = true
        backoff.reset()
        if Task.isCancelled { return }
        report(answer.status == .serving ? .ready : .failed("health: \(answer.status)"))
      }
    } catch {
      if Task.isCancelled { return }
      if error.code == .unimplemented { return report(.ready) }
      why = "health: \(error)"
    }
    report(.failed(why))
    if hasAnswered { return watch() }
    timer = loop.schedule(after: backoff.next()) { [weak self] in self?.watch() }
  }
}

/// Calls over one connection, whatever becomes of others.
private struct ConnectionTransport: ClientTransport {
  let connection: ClientConnection

  func executor() -> any CallExecutor { connection.loop }

  func open(
    _ head: RequestHead, waitsForReady: Bool, on executor: any CallExecutor, handler: any ClientStreamHandler
  ) -> any ClientStream {
    let stream = ClientHTTP2Stream(head, channel: nil, waitsForReady: false, handler: handler)
    if connection.room == 0 || !connection.open(stream) {
      let refused = Confined(stream: stream)
      connection.loop.execute { refused.stream.close(.unreachable("the connection takes no requests")) }
    }
    return stream
  }

  private struct Confined: @unchecked Sendable {
    // Unchecked because it only travels to the same loop.
    let stream: ClientHTTP2Stream
  }

  func shutdown() async {}
}
