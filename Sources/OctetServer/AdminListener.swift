import Base
import HTTP2
import Observability
import Storage

/// The listener for operators: metrics and probes. It has an event loop of its own, so that a scrape holds up no call,
/// and it is there until the server has drained.
final class AdminListener: Sendable {
  /// Scrapers and probes are few; whoever opens more is something else.
  private static let limits = {
    var limits = HTTP2Limits()
    limits.maxConnections = 64
    limits.maxConcurrentStreams = 16
    return limits
  }()
  private static let drainGrace: Duration = .milliseconds(500)

  private let readiness: Readiness
  private let server: HTTP2Server
  private let group: EventLoopGroup

  /// Binds the addresses; nothing is accepted before `start`.
  /// - Parameters:
  ///   - sources: what is shown, beside what is known of the public server, the database and the process.
  ///   - publicServer: the one whose connections are counted.
  init(
    _ addresses: [String], sources: [any MetricSource], publicServer: HTTP2Server, database: any Database
  ) throws(StartFailure) {
    var listen: [ListenAddress] = []
    for text in addresses {
      guard let address = ListenAddress.cleartext(text) else {
        throw StartFailure(.usage, "admin-listen: \(text) is not PORT, ADDR:PORT or unix:PATH")
      }
      listen.append(address)
    }
    readiness = Readiness([
      (
        "database",
        {
          if let refusal = database.writeRefusal { throw refusal }
          _ = try await database.read { reader in try reader.first("SELECT 1") { $0.integer(0) } }
        }
      )
    ])
    let own: [any MetricSource] = [
      ReadMetrics { Self.families(publicServer.connectionCounts) }, ReadMetrics { Self.families(database.waiting) },
      ProcessMetrics(),
    ]
    do {
      group = try EventLoopGroup(loops: 1)
      server = try HTTP2Server(
        acceptor: AdminEndpoints(sources: sources + own, readiness: readiness), listen: listen, limits: Self.limits,
        group: group)
    } catch {
      throw StartFailure(error, opening: "cannot listen on \(addresses.joined(separator: ", "))")
    }
  }

  /// Where it is, with the ports that the kernel chose.
  var addresses: [ListenAddress] { server.boundAddresses }

  func start() async throws {
    try await server.start()
  }

  /// Says from now on that no more requests should be sent to the public server.
  func beginDraining() { readiness.beginDraining() }

  func stop() async {
    await server.drain(within: Self.drainGrace)
    await group.shutdown()
  }

  private static func families(_ counts: ConnectionCounts) -> [MetricFamily] {
    [
      MetricFamily("octet_connections_open", .gauge, "Connections that are open.", counts.open),
      MetricFamily("octet_connections_accepted_total", .counter, "Connections accepted.", counts.accepted),
      MetricFamily(
        "octet_connections_refused_total", .counter, "Connections closed at once, for their number or in a drain.",
        counts.refused),
      MetricFamily(
        "octet_tls_handshakes_total", .counter, "TLS handshakes by outcome.",
        [
          MetricSample([MetricLabel("outcome", "ok")], counts.handshakes),
          MetricSample([MetricLabel("outcome", "failed")], counts.failedHandshakes),
        ]),
    ]
  }

  private static func families(_ waiting: (reads: Int, writes: Int)) -> [MetricFamily] {
    [
      MetricFamily(
        "octet_storage_waiting", .gauge, "Reads and transactions that wait for the database.",
        [
          MetricSample([MetricLabel("queue", "read")], waiting.reads),
          MetricSample([MetricLabel("queue", "write")], waiting.writes),
        ])
    ]
  }
}
