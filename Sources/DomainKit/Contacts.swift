public import Base
public import Cryptography
public import Storage

/// How people are reached. The identity domain implements it; addresses are opened when something is sent, and kept in
/// clear nowhere else.
public protocol Contacts: Sendable {
  /// The kinds of contacts that a user has proved.
  func provedContacts(of user: Identifier, in reader: any Reader) throws -> Set<ContactKind>

  /// A proved contact in clear; nil if there is none, or no more.
  func contact(_ kind: ContactKind, of user: Identifier, in reader: any Reader) throws -> String?

  /// An address that somebody has typed, in the form in which addresses are compared; nil for what is none.
  func address(_ kind: ContactKind, parsing text: String) -> ContactAddress?

  /// Who has proved an address; nil for nobody.
  func owner(of address: ContactAddress, in reader: any Reader) throws -> Identifier?

  /// The user's own key, which closing the account destroys; nil for a user who is unknown or erased.
  func sealingKey(of user: Identifier, in reader: any Reader) throws -> SealingKey?
}

/// For those who write to nobody but their users.
extension Contacts {
  public func address(_ kind: ContactKind, parsing text: String) -> ContactAddress? { nil }
  public func owner(of address: ContactAddress, in reader: any Reader) throws -> Identifier? { nil }
}

/// A kind of address.
public enum ContactKind: Sendable, Hashable {
  case email
  case phone
}
