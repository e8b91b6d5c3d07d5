public import Base
public import Storage
public import Streaming

/// What every domain is given. Domains keep it and take time, ids and random bits from nowhere else.
public struct Kit: Sendable {
  /// Its errors are those that clients may see: a busy engine is `KitError.overloaded`.
  public let database: any Database
  public let hub: TopicHub
  public let clock: any WallClock
  public let identifiers: IdentifierGenerator
  public let random: any RandomSource
  public let keys: ServerKeys
  public let authority: any Authority
  public let log: Log
  /// Nil if this process alone serves the database: what it has in memory is then all there is.
  public let others: OtherNodes?

  public init(
    database: any Database, hub: TopicHub, clock: any WallClock, identifiers: IdentifierGenerator,
    random: any RandomSource, keys: ServerKeys, authority: any Authority, log: Log, others: OtherNodes? = nil
  ) {
    self.database = EdgeDatabase(database)
    self.hub = hub
    self.clock = clock
    self.identifiers = identifiers
    self.random = random
    self.keys = keys
    self.authority = authority
    self.log = log
    self.others = others
  }
}
