public import Base
public import Storage

/// Tells people things. The notify domain implements it; other domains tell in the transaction that makes it true.
///
/// A notice that commits is in the inbox, and reaches each way that its user wants, whatever crashes afterwards.
public protocol Notices: Sendable {
  /// Tells one user. Does nothing if the user has a notice with this key already.
  func notify(_ user: Identifier, _ notice: Notice, in writer: any Writer) throws

  /// Tells many, however many: the caller's transaction writes one row, and the inboxes follow in the background, in
  /// small transactions. Whoever joins or leaves the audience meanwhile may or may not be told; nobody is told twice.
  ///
  /// Only those are told who may see what the notice is about at that moment. Once it is gone, nobody is any more.
  func notify(_ audience: Audience, _ notice: Notice, in writer: any Writer) throws

  /// Writes to somebody who may have no account. Whoever has proved the address as a user gets the notice as one; whoever
  /// has stopped such letters gets none. The sender learns nothing of either.
  /// - Throws: `KitError.dayLimitExceeded` for a sender who has invited many today.
  func notify(_ address: ContactAddress, _ notice: OutsideNotice, in writer: any Writer) throws
}

/// One thing to tell.
///
///     static let driverArrived = NoticeKind(
///       "rides.driver_arrived", ways: [.push], values: ["driver": .name],
///       words: ["en": NoticeWords("Your driver is here", "{driver} waits at the pickup.")])
///     …
///     try notices.notify(
///       rider, Notice(driverArrived, key: ride.text + "/arrived", about: ride, ["driver": .name(name, of: driver)]), in: writer)
public struct Notice: Sendable {
  /// The longest key in bytes.
  public static let keyLimit = 200

  public let kind: NoticeKind
  /// A user gets one notice of each key.
  public let key: String
  /// What it is about, for clients to open.
  public let object: SubjectID?
  /// What stands for the names in the words.
  public let values: [String: NoticeValue]

  /// Traps unless there is a value of the right type for each name that the kind declares, and no other.
  /// - Parameter key: what happened, once: the object's id and a word, say. Keys of all domains share one space.
  public init(_ kind: NoticeKind, key: String, about object: SubjectID?, _ values: [String: NoticeValue] = [:]) {
    precondition(!key.isEmpty && key.utf8.count <= Self.keyLimit, "a notice's key has 1 to \(Self.keyLimit) bytes")
    precondition(values.mapValues(\.type) == kind.values, "a notice of \(kind.name) with values that do not fit")
    self.kind = kind
    self.key = key
    self.object = object
    self.values = values
  }
}

/// Users whom something is told, as some domain knows them.
public struct Audience: Sendable, Equatable {
  /// The name of the `AudienceSource`.
  public let source: String
  /// Which of its audiences: a store whose followers are meant, say. The source gives it its meaning.
  public let key: String

  public init(_ source: String, key: String = "") {
    self.source = source
    self.key = key
  }
}

/// Knows who belongs to audiences of one sort. Domains declare theirs.
public protocol AudienceSource: Sendable {
  /// Unique among all domains, such as `identity.users`.
  var name: String { get }

  /// The next members in rising order.
  /// - Parameters:
  ///   - after: the last one of the part before; nil for the first part.
  ///   - limit: at most so many. Fewer say that there are no more.
  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier]
}

/// The audiences that the social domain has.
extension Audience {
  /// All who follow something, but for those who have muted its owner, and whom a block keeps from it.
  public static func followers(of subject: SubjectID) -> Audience { Audience("social.followers", key: subject.text) }
}

/// The audiences that the identity domain has.
extension Audience {
  /// Everybody with an account.
  public static let everybody = Audience("identity.users")

  /// All who hold a role on the whole platform.
  public static func holders(of role: String) -> Audience { Audience("identity.holders", key: role) }

  /// All who hold a role on a resource.
  public static func holders(of role: String, on resource: SubjectID) -> Audience {
    Audience("identity.holders", key: role + "/" + resource.text)
  }
}
