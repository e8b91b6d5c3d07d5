public import Base
public import Storage

/// The credentials of machines: tills, workers, feeds, partners' systems. The identity domain implements it; all of it runs
/// in the caller's transaction. Who may make or end one, the caller has judged.
public protocol Credentials: Sendable {
  /// Makes a credential that a user answers for, with its grants.
  /// - Throws: `KitError.limitExceeded` for more than one user may have; `.permissionDenied` if the owner is no user: a
  ///   machine makes no machines; what granting an unknown role throws.
  func create(_ machine: NewMachine, of owner: Identifier, by actor: AuditActor, in writer: any Writer) throws
    -> KnownMachine

  /// A machine by the number of its credential, which is `Caller.user` where a machine calls. Nil if there is none.
  func machine(_ credential: Identifier, in reader: any Reader) throws -> KnownMachine?

  /// Ends a credential with its sessions and grants. A repeat changes nothing.
  func revoke(_ credential: Identifier, by actor: AuditActor, in writer: any Writer) throws
}

/// What sort of machine.
public enum MachineKind: Int64, Sendable, CaseIterable {
  /// A till, a reader at a door.
  case terminal = 1
  /// A program that does jobs.
  case worker = 2
  /// A source of data: a timetable, a price list.
  case feed = 3
  /// Another company's system.
  case partner = 4
}

/// A machine that is to get a credential.
public struct NewMachine: Sendable, Equatable {
  public var kind: MachineKind
  /// What its owner calls it.
  public var name: String
  /// Ed25519, 32 bytes.
  public var publicKey: [UInt8]
  /// What it is allowed. They end with the credential, whatever they say themselves.
  public var roles: [RoleGrant]
  /// When the credential ends by itself; nil for never.
  public var expiresAt: Instant?

  public init(
    _ kind: MachineKind, name: String, publicKey: [UInt8], roles: [RoleGrant], expiresAt: Instant? = nil
  ) {
    precondition(publicKey.count == Self.publicKeyLength, "a request's rules see to the length of keys")
    self.kind = kind
    self.name = name
    self.publicKey = publicKey
    self.roles = roles
    self.expiresAt = expiresAt
  }

  private static let publicKeyLength = 32
}

/// A machine that has a credential.
public struct KnownMachine: Sendable, Equatable {
  public let id: Identifier
  /// Who answers for it.
  public let owner: Identifier
  public let kind: MachineKind
  public let name: String
  public let expiresAt: Instant?
  /// Whether it can sign in, as far as its owner may: it was not revoked and has not expired.
  public let isLive: Bool

  public init(
    id: Identifier, owner: Identifier, kind: MachineKind, name: String, expiresAt: Instant?, isLive: Bool
  ) {
    self.id = id
    self.owner = owner
    self.kind = kind
    self.name = name
    self.expiresAt = expiresAt
    self.isLive = isLive
  }
}
