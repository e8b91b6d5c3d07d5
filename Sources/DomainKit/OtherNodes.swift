public import Base
public import Storage
public import Streaming

/// What a domain needs to know of the other processes that serve the same database.
public struct OtherNodes: Sendable {
  /// Between the nodes, if there is one. What it says is a hint, and may be missing.
  public let bus: (any MessageBus)?
  /// The number of this node.
  public let node: Int
  private let database: any Database
  private let clock: any WallClock
  private let random: any RandomSource

  public init(
    bus: (any MessageBus)?, node: Int, database: any Database, clock: any WallClock, random: any RandomSource
  ) {
    self.bus = bus
    self.node = node
    self.database = database
    self.clock = clock
    self.random = random
  }

  /// Shares things of a kind out among the nodes.
  public func ownership(of kind: String, lifetime: Duration) -> Ownership {
    Ownership(database: database, clock: clock, random: random, kind: kind, node: node, lifetime: lifetime)
  }
}
