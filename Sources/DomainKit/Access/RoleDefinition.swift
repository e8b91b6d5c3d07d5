/// A role that exists. Each domain declares its own (`Domain.roles`); no other can be granted, or named by a policy.
///
/// ```swift
/// static let roles: [RoleDefinition] = [
///   .staff("deals.reviewer"),
///   .resource("deals.owner", of: "merchant", givenBy: ["deals.owner"], keepsLast: true),
///   .resource("deals.clerk", of: "merchant", givenBy: ["deals.owner", "deals.manager"]),
///   .selfService("stays.host", from: .contact),
/// ]
/// ```
///
/// Admins give any role. Whoever makes a resource gets its first role from the domain, in the same transaction
/// (`People.grant`).
public struct RoleDefinition: Sendable, Hashable {
  /// Whose a role is, and who gives it.
  public enum Kind: Sendable, Hashable {
    /// Of the platform's own people, on all of the platform: what it lets them do is recorded.
    case staff
    /// Of users who take it themselves, on all of the platform, once their accounts have reached a level.
    case selfService(AccountLevel)
    /// Of users whom a domain, or an admin, gives it, on all of the platform.
    case given
    /// On one thing, whose printed id has this prefix, and what lies under it. Holders of one of `givers`, there or
    /// above, give and take it.
    case resource(prefix: String, givers: Set<String>)
  }

  /// `rides.ops`: the domain and a word.
  public let name: String
  public let kind: Kind
  /// Whether somebody must always hold it once somebody did: the last grant cannot be revoked.
  public let keepsLast: Bool

  /// Whether users take it themselves.
  public var isSelfService: Bool { if case .selfService = kind { true } else { false } }

  /// Whether its holders may take it from each other, or one of them must stay.
  public var hasOwners: Bool { if case .resource = kind { true } else { keepsLast } }

  private init(_ name: String, _ kind: Kind, keepsLast: Bool) {
    self.name = name
    self.kind = kind
    self.keepsLast = keepsLast
  }

  /// A role of the platform's own people.
  public static func staff(_ name: String, keepsLast: Bool = false) -> RoleDefinition {
    RoleDefinition(name, .staff, keepsLast: keepsLast)
  }

  /// A role that users take themselves, and give up.
  public static func selfService(_ name: String, from level: AccountLevel) -> RoleDefinition {
    RoleDefinition(name, .selfService(level), keepsLast: false)
  }

  /// A role that users are given by a domain.
  public static func given(_ name: String) -> RoleDefinition { RoleDefinition(name, .given, keepsLast: false) }

  /// A role on things of one kind.
  /// - Parameters:
  ///   - prefix: of the things' printed ids, such as `store`.
  ///   - givers: roles whose holders give it and take it back.
  public static func resource(
    _ name: String, of prefix: String, givenBy givers: Set<String>, keepsLast: Bool = false
  ) -> RoleDefinition {
    RoleDefinition(name, .resource(prefix: prefix, givers: givers), keepsLast: keepsLast)
  }
}

/// How much is proved about who a user is.
public enum AccountLevel: Int, Sendable, Comparable {
  case none
  /// A contact.
  case contact
  /// The person: documents were approved.
  case verified

  public static func < (a: AccountLevel, b: AccountLevel) -> Bool { a.rawValue < b.rawValue }
}
