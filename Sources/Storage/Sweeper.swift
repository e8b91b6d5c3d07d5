internal import Base

/// Upkeep that is nobody's request: what has aged is removed, piece by piece.
public protocol Sweep: Sendable {
  /// For people.
  var name: String { get }

  /// Does one small piece of the work, in transactions of a few milliseconds. May run on several nodes at once.
  /// - Returns: whether there is more to do at once.
  func step(_ database: any Database) async throws -> Bool
  /// How many times as long as a piece took the rest after it lasts.
  var restFactor: Int { get }
}

extension Sweep {
  /// A tenth of one processor's time.
  public var restFactor: Int { 9 }
}

/// Runs sweeps in the background on one of the nodes, slowly enough that commits do not notice: after each piece it
/// rests `restFactor` times as long as the piece took.
public final class Sweeper: Sendable {
  private let database: any Database
  private let leases: Leases
  private let sweeps: [any Sweep]
  private let loop = BackgroundLoop()

  private static let leaseName = "octet/sweeps"
  private static let leaseDuration: Duration = .seconds(60)
  /// Between two rounds of all sweeps.
  private static let interval: Duration = .seconds(10)
  /// The shortest rest after a piece.
  private static let shortestRest: Duration = .milliseconds(25)
  /// Pieces of one sweep before the next one has its turn (and the lease is renewed).
  private static let piecesPerTurn = 256

  public init(database: any Database, leases: Leases, sweeps: [any Sweep]) {
    self.database = database
    self.leases = leases
    self.sweeps = sweeps
  }

  /// Does all that there is to do now, without rest. For tests and tools.
  public func runAll() async throws {
    for sweep in sweeps {
      while try await sweep.step(database) {}
    }
  }

  /// Starts to sweep in the background.
  /// - Parameter failed: is told of each failure, with the name of the sweep. What is to be swept stays for the next round.
  public func start(failed: @escaping @Sendable (String, any Error) -> Void) {
    loop.start { [self] in await sweep(failed) }
  }

  /// Ends the background work; the piece under way is finished first.
  public func stop() async { await loop.stop() }

  private func sweep(_ failed: @Sendable (String, any Error) -> Void) async {
    var lease: Lease?
    while !loop.isStopping {
      var hasMore = false
      do {
        lease = try await leases.acquire(Self.leaseName, for: Self.leaseDuration)
      } catch {
        // It ends by itself, if this node has it.
        lease = nil
        failed(Self.leaseName, error)
      }
      if lease != nil {
        for sweep in sweeps where !loop.isStopping {
          do {
            if try await turn(sweep) { hasMore = true }
          } catch {
            failed(sweep.name, error)
          }
        }
      }
      if !hasMore { await loop.pause(atMost: Self.interval) }
    }
    if let lease { try? await leases.release(lease) }
  }

  /// - Returns: whether there is more to do.
  private func turn(_ sweep: any Sweep) async throws -> Bool {
    let clock = ContinuousClock()
    for _ in 0..<Self.piecesPerTurn {
      let start = clock.now
      guard try await sweep.step(database), !loop.isStopping else { return false }
      let rest = max(Self.shortestRest, (clock.now - start) * sweep.restFactor)
      await loop.pause(atMost: rest)
    }
    return true
  }
}
