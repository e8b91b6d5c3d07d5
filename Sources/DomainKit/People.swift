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

  /// Who holds a role now, in rising order; users, no machines.
  /// - Parameters:
  ///   - resource: nil for the whole platform.
  ///   - after: the last one of the part before; nil for the first part.
  ///   - limit: at most so many.
  func holders(
    of role: String, on resource: SubjectID?, after: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [Identifier]

  /// Gives a user a role; a repeat changes nothing, but for the later end of the two. Whoever makes a resource gets its
  /// first role this way, in the same transaction. Traps on a role of staff: only staff gives those.
  /// - Parameters:
  ///   - resource: nil for a role on the whole platform.
  ///   - expiresAt: when it ends by itself; nil for never.
  func grant(
    _ role: String, to user: Identifier, on resource: SubjectID?, until expiresAt: Instant?, in writer: any Writer
  ) throws

  /// Takes a role back; a repeat changes nothing.
  /// - Throws: `LAST_OWNER` for the last grant of a role that somebody must keep.
  func revoke(_ role: String, from user: Identifier, on resource: SubjectID?, in writer: any Writer) throws

  /// Whether the erasure of an account has begun or is over, or nobody ever had it: nothing may be kept about such a user
  /// any more. What writes about a user while an erasure may begin holds a row that its `PersonalRecords.erase` takes
  /// before it deletes; then this is the last word.
  func isLeaving(_ user: Identifier, in reader: any Reader) throws -> Bool

  /// What is known of a user beside the names; nil for one who is unknown or erased.
  func facts(of user: Identifier, in reader: any Reader) throws -> PersonFacts?

  /// What is known of whoever makes a call; nil for a machine. Each call looks it up, so ask for it where it matters.
  func facts(of caller: Caller, in reader: any Reader) throws -> CallerFacts?

  /// One of a user's postal addresses, in clear; nil if the user has none of this id.
  func address(_ address: Identifier, of user: Identifier, in reader: any Reader) throws -> PersonalAddress?
}

/// What a device is known by: a keyed hash of its public key.
public typealias DeviceHash = [UInt8]

/// For people of whom not much is known.
extension People {
  public func device(of caller: Caller, in reader: any Reader) throws -> DeviceHash? { nil }
  public func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceHash] { [] }
  public func holders(
    of role: String, on resource: SubjectID?, after: Identifier?, limit: Int, in reader: any Reader
  ) throws -> [Identifier] { [] }
  public func isLeaving(_ user: Identifier, in reader: any Reader) throws -> Bool { false }
  public func facts(of user: Identifier, in reader: any Reader) throws -> PersonFacts? { nil }
  public func facts(of caller: Caller, in reader: any Reader) throws -> CallerFacts? { nil }
  public func address(
    _ address: Identifier, of user: Identifier, in reader: any Reader
  ) throws -> PersonalAddress? { nil }
}

extension People {
  /// Gives a user a role for good.
  public func grant(_ role: String, to user: Identifier, on resource: SubjectID?, in writer: any Writer) throws {
    try grant(role, to: user, on: resource, until: nil, in: writer)
  }
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
