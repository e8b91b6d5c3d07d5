public import Base
public import Storage
public import Streaming

/// What a domain needs to know of the other processes that serve the same database.
public struct OtherNodes: Sendable {
  /// Between the nodes, if there is one. What it says is a hint, and may be missing.
  public let bus: (any MessageBus)?
  /// The number of this node.
  public let node: Int
  private let failed: @Sendable (_ what: String, any Error) -> Void
  private let database: any Database
  private let clock: any WallClock
  private let random: any RandomSource

  /// - Parameter failed: hears of looks that failed.
  public init(
    bus: (any MessageBus)?, node: Int, database: any Database, clock: any WallClock, random: any RandomSource,
    failed: @escaping @Sendable (_ what: String, any Error) -> Void = { _, _ in }
  ) {
    self.bus = bus
    self.node = node
    self.database = database
    self.clock = clock
    self.random = random
    self.failed = failed
  }

  /// Looks for what other nodes have done, of which their word may have been lost. One look of a loop: what could not be
  /// read is read the next time, as each look begins where the last one that succeeded did; that it failed is told.
  /// - Parameter what: is looked for, for the log.
  public func look(for what: String, _ look: () async throws -> Void) async {
    do {
      try await look()
    } catch {
      failed(what, error)
    }
  }

  /// Shares things of a kind out among the nodes.
  public func ownership(of kind: String, lifetime: Duration) -> Ownership {
    Ownership(database: database, clock: clock, random: random, kind: kind, node: node, lifetime: lifetime)
  }
}
