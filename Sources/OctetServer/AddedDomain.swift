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
