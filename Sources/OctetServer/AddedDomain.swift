public import DomainKit

/// A domain that a program serves beside those that every server has.
public struct AddedDomain: Sendable {
  let kind: any Domain.Type
  let make: @Sendable (DomainParts) -> any Domain

  /// - Parameter make: makes it of what the shared domains give. It must start nothing.
  public init<Kind: Domain>(_ make: @escaping @Sendable (DomainParts) -> Kind) {
    kind = Kind.self
    self.make = { make($0) }
  }
}

/// What the shared domains give to one that builds on them.
public struct DomainParts: Sendable {
  /// What every domain stands on: the database, callers, transactions that answer once.
  public let kit: Kit
  /// Work that survives a crash, and schedules.
  public let jobs: Jobs
  /// Users, and the roles that a domain gives them.
  public let people: any People
  /// What people are told, by inbox, mail, message or push.
  public let notices: any Notices
  /// Admission queues before what many want at once.
  public let queue: any Queue
  /// Dated rows that staff keeps: fares, fees, limits.
  public let tables: any Tables
}
