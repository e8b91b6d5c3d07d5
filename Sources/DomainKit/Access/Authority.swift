public import Base
public import Cryptography
public import Storage

/// Who may still do what: the part of the identity domain that every call needs.
public protocol Authority: Sendable {
  /// Whether the session is known to have ended. Answers from memory, at most a second late.
  func hasEnded(_ session: Identifier) -> Bool

  /// What `roles(of:epoch:)` would give without waiting; nil if memory is older.
  func knownRoles(of user: Identifier, epoch: Int64) -> RoleSet?

  /// What memory knows of the bearer of a token, in one look: the grants in force at `now`, and whether the session has ended;
  /// nil if it knows no grants as new as the token.
  func recall(_ token: AccessToken, at now: Instant) -> (roles: RoleSet, hasEnded: Bool)?

  /// The user's grants, at least as new as `epoch`: from memory, or from the database when memory is older.
  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet

  /// Judges the caller inside a transaction, so that no change commits for an ended session or an expired grant. Nobody ends
  /// the session before the transaction is over, so what is written to go with it is there by then. Notes that the session
  /// was used.
  /// - Throws: `KitError.sessionEnded`, `KitError.accountSuspended`.
  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing

  /// What `confirm` gave as the caller's key when the session was live: for a reply that was sealed with it. Nil where
  /// there is nothing to be destroyed.
  /// - Throws: `KitError.sessionEnded` if it is destroyed.
  func sealingKey(of caller: Caller, in reader: any Reader) throws -> SealingKey?

  /// The grants of a user that are in force now, from the rows.
  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet
}

extension Authority {
  public func knownRoles(of user: Identifier, epoch: Int64) -> RoleSet? { nil }

  public func recall(_ token: AccessToken, at now: Instant) -> (roles: RoleSet, hasEnded: Bool)? {
    knownRoles(of: token.user, epoch: token.epoch).map { ($0, hasEnded(token.session)) }
  }

  public func sealingKey(of caller: Caller, in reader: any Reader) throws -> SealingKey? { nil }
}

/// What a transaction holds that changes something for a caller: shared, before it reads whether the caller may. Whoever ends
/// that holds it alone, so that no change commits after the end did, on engines where writers run side by side.
public enum StandingLock {
  /// A session's life, by its id.
  public static let session: StaticString = "octet/session"
  /// The grants of a user or credential, by its id.
  public static let roles: StaticString = "octet/roles"
}

/// What a transaction needs to know about its caller.
public struct Standing: Sendable {
  /// When the caller last proved the password.
  public let provedAt: Instant
  /// The user's own key, which closing the account destroys: what is sealed with it is then unreadable. Stored replies
  /// are. Nil where there is nothing to be destroyed.
  public let sealingKey: SealingKey?

  public init(provedAt: Instant, sealingKey: SealingKey? = nil) {
    self.provedAt = provedAt
    self.sealingKey = sealingKey
  }
}
