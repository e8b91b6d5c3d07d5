public import Base
public import Storage

/// What other domains may know of people and do to their rights. The identity domain implements it; all of it runs
/// in the caller's transaction.
public protocol People: Sendable {
  /// How a person is shown; nil for an unknown or erased user.
  func person(_ user: Identifier, in reader: any Reader) throws -> Person?

  /// Who has a handle, in any case of its letters; nil for nobody.
  func user(handle: String, in reader: any Reader) throws -> Identifier?

  /// How a user wants to be dealt with; the defaults for one who has said nothing, or is unknown.
  func preferences(of user: Identifier, in reader: any Reader) throws -> PersonalPreferences

  /// What the device is known by that a caller's session was begun on: the same for all accounts on it. Nil for a session
  /// without a device that has proved its key.
  func device(of caller: Caller, in reader: any Reader) throws -> DeviceHash?

  /// The devices that a user has signed in on; the newest hundred.
  func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceHash]

  /// What a user is allowed now.
  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet

  /// Gives a user a role; a repeat changes nothing.
  func grant(_ role: String, to user: Identifier, on resource: String?, in writer: any Writer) throws

  /// Takes a role back; a repeat changes nothing.
  func revoke(_ role: String, from user: Identifier, on resource: String?, in writer: any Writer) throws
}

/// What a device is known by: a keyed hash of its public key.
public typealias DeviceHash = [UInt8]

/// For people whose devices nobody knows.
extension People {
  public func device(of caller: Caller, in reader: any Reader) throws -> DeviceHash? { nil }
  public func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceHash] { [] }
}

/// How a person is shown to others.
public struct Person: Sendable, Equatable {
  public let user: Identifier
  public let handle: String
  public let displayName: String

  public init(user: Identifier, handle: String, displayName: String) {
    self.user = user
    self.handle = handle
    self.displayName = displayName
  }
}

/// How a user wants to be dealt with.
public struct PersonalPreferences: Sendable, Equatable {
  /// The language of texts, a BCP 47 tag.
  public var language = "en"
  /// ISO 3166-1 alpha-2 code of the country; nil if it is not known.
  public var region: String?
  /// ISO 4217 code of the currency that prices are shown in; nil for the seller's.
  public var currency: String?
  /// The zone in the tz database whose days and nights are the user's.
  public var timeZone = "UTC"

  public init() {}
}

/// A role that exists. Each domain declares its own; the identity domain refuses to grant others.
public struct RoleDefinition: Sendable, Hashable {
  /// `rides.ops`, or a bare word for a platform-wide staff role.
  public let name: String
  /// The kind prefix of the resources that it is granted on, such as `store`; nil for a role on the whole platform.
  public let resourceKind: String?
  /// Whether somebody must always hold it once somebody did: the last grant cannot be revoked.
  public let keepsLast: Bool

  public init(_ name: String, resourceKind: String? = nil, keepsLast: Bool = false) {
    self.name = name
    self.resourceKind = resourceKind
    self.keepsLast = keepsLast
  }
}
