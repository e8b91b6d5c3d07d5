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
  public let kit: Kit
  public let jobs: Jobs
  public let people: any People
  public let notices: any Notices
  public let queue: any Queue
  public let tables: any Tables
}
