public import Base
internal import Storage

/// Runs a library's collector in the background, at intervals that nodes do not share, and once a week its audit, on one
/// of the nodes.
public final class BlobCollector: Sendable {
  private let library: BlobLibrary
  private let interval: Duration
  private let rest: Duration
  private let random: any RandomSource
  private let log: @Sendable (any Error) -> Void
  private let loop = BackgroundLoop()

  /// Whoever audits takes it, and does not give it back.
  private static let auditLease = "octet/blob audit"
  /// Between two audits of all nodes.
  private static let auditInterval: Duration = .seconds(7 * 86_400)

  /// - Parameters:
  ///   - interval: between two runs, give or take a fifth.
  ///   - rest: between two transactions, so that commits do not notice.
  ///   - log: hears of runs that failed.
  public init(
    _ library: BlobLibrary, interval: Duration = .seconds(60), rest: Duration = .milliseconds(25),
    random: any RandomSource, log: @escaping @Sendable (any Error) -> Void
  ) {
    self.library = library
    self.interval = interval
    self.rest = rest
    self.random = random
    self.log = log
  }

  /// Starts the runs.
  public func start() {
    loop.start { [self] in
      while !loop.isStopping {
        do {
          _ = try await library.collect(rest: restABit)
          try await auditIfDue()
        } catch {
          log(error)
        }
        await loop.pause(atMost: random.jittered(interval))
      }
    }
  }

  /// Ends the runs; the piece that is under way is finished first.
  public func stop() async { await loop.stop() }

  /// - Returns: whether to go on.
  @Sendable private func restABit() async -> Bool {
    await loop.pause(atMost: rest)
    return !loop.isStopping
  }

  private func auditIfDue() async throws {
    // Another holder each time: who has audited does not get the lease again before its end either.
    let leases = Leases(database: library.database, clock: library.clock, random: random)
    guard !loop.isStopping, let lease = try await leases.acquire(Self.auditLease, for: Self.auditInterval) else {
      return
    }
    do {
      // The next start, or another node, begins anew.
      if try await !library.audit(rest: restABit).isWhole { try await leases.release(lease) }
    } catch {
      try await leases.release(lease)
      throw error
    }
  }
}
