public import Base
public import Storage

/// What a domain says about its things of one kind, so that the shared modules serve them without knowing the domain:
/// who comments on a video, reviews a hotel or opens a support room about a ride is judged by the video's, the hotel's,
/// the ride's own domain, in the transaction that acts.
///
/// What a kind does not say is refused: without further words its things can be neither seen nor posted to, followed,
/// reacted to or reviewed.
public protocol SubjectKind: Sendable {
  /// The prefix of the printed ids, such as `ride`.
  var prefix: String { get }

  /// What may be done with all things of this kind.
  var traits: SubjectTraits { get }

  /// What is known of one thing; nil if there is none, or no more.
  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts?

  /// Whether somebody may see a thing. Asked at each read and each push of what hangs on it, so it should cost one row;
  /// and of what is not there as well, so that the time of an answer tells nothing. Who has blocked whom is asked
  /// elsewhere.
  /// - Parameter caller: nil for somebody without credentials.
  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool

  /// Whether somebody who sees a thing may say something about it.
  func posting(on id: Identifier, by caller: Caller, in reader: any Reader) throws -> Posting

  /// Whether somebody may follow a thing. It need not be visible to those who may ask for it.
  func following(_ id: Identifier, by caller: Caller, in reader: any Reader) throws -> Following

  /// Carries out what moderators have decided: what is removed is seen by nobody until it is restored. A repeat changes
  /// nothing.
  /// - Returns: false for a kind of which moderators can remove nothing.
  func moderate(_ id: Identifier, _ measure: ModerationMeasure, in writer: any Writer) throws -> Bool

  /// Whether a user may review a thing, by what happened between them.
  /// - Parameter key: what the review is about beside the thing itself: the booking, the order. Each has one review.
  func reviewing(
    _ id: Identifier, by user: Identifier, over key: SubjectID, in reader: any Reader
  ) throws -> Reviewing

  /// What a thing says: title and text, for moderators who judge it, also when it is held or removed. Nil for what has no
  /// words, or is gone.
  func words(of id: Identifier, in reader: any Reader) throws -> String?

  /// Called when somebody has done something with a thing, or has taken it back, in that transaction and after it: counters
  /// are as it leaves them. What it throws undoes the deed.
  func happened(_ deed: SubjectDeed, to id: Identifier, in writer: any Writer) throws

  /// Called when a file that is a part of a thing has become ready, or has failed, in a transaction right after the one in which
  /// it did; not for one that was so already when it became a part, which `Files.attach` tells. It may be called again for the
  /// same: one that has failed is tried anew when somebody uploads it again.
  /// - Parameter slot: which part.
  func settled(_ file: StoredFile, as slot: String, of id: Identifier, in writer: any Writer) throws
}

extension SubjectKind {
  public var traits: SubjectTraits { SubjectTraits() }

  public func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool { false }

  public func posting(on id: Identifier, by caller: Caller, in reader: any Reader) throws -> Posting { .refused }

  public func following(_ id: Identifier, by caller: Caller, in reader: any Reader) throws -> Following {
    try traits.isFollowable && canView(id, by: caller, in: reader) ? .allowed : .refused
  }

  public func moderate(_ id: Identifier, _ measure: ModerationMeasure, in writer: any Writer) throws -> Bool { false }

  public func reviewing(
    _ id: Identifier, by user: Identifier, over key: SubjectID, in reader: any Reader
  ) throws -> Reviewing { .notEligible }

  public func words(of id: Identifier, in reader: any Reader) throws -> String? { nil }

  public func happened(_ deed: SubjectDeed, to id: Identifier, in writer: any Writer) throws {}

  public func settled(_ file: StoredFile, as slot: String, of id: Identifier, in writer: any Writer) throws {}
}

/// What may be done with all things of a kind.
public struct SubjectTraits: Sendable {
  /// Whether users may follow one.
  public var isFollowable = false
  /// The reactions that one takes.
  public var reactions: ReactionKinds = .none
  /// The longest comment in code points.
  public var commentLength = 2000
  /// Whether one is hidden when its owner has blocked somebody, or somebody its owner. Not what two sides have made
  /// together, such as a ride: each of them sees it in any case.
  public var isHiddenByBlocks = true

  public init() {}
}

/// Reactions that a thing takes.
public struct ReactionKinds: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  public static let none: ReactionKinds = []
  /// A like, once a user.
  public static let like = ReactionKinds(rawValue: 1)
  /// An emoji, one a user.
  public static let emoji = ReactionKinds(rawValue: 2)
  /// Kept for oneself.
  public static let save = ReactionKinds(rawValue: 4)
}

/// What is known of one thing.
public struct SubjectFacts: Sendable, Equatable {
  /// Whose it is; nil for nobody's.
  public var owner: Identifier?
  /// What it hangs on itself.
  public var parent: SubjectID?
  /// Whether two sides have made this one together, so that no block hides it, though blocks hide others of its kind.
  public var isShared: Bool

  public init(owner: Identifier?, parent: SubjectID? = nil, isShared: Bool = false) {
    self.owner = owner
    self.parent = parent
    self.isShared = isShared
  }
}

/// Whether somebody may say something about a thing.
public enum Posting: Sendable, Equatable {
  case allowed
  /// Nobody may: its owner does not want comments.
  case off
  case refused
}

/// Whether somebody may follow a thing.
public enum Following: Sendable, Equatable {
  case allowed
  /// Its owner wants to be asked.
  case onRequest
  /// As if there were no such thing.
  case refused
}

/// What moderators have decided about a thing.
public enum ModerationMeasure: Sendable, Equatable {
  case remove
  /// What was held back, or removed, is shown after all.
  case restore
}

/// Whether a user may review a thing.
public enum Reviewing: Sendable, Equatable {
  case eligible(ReviewRule)
  /// Nothing happened that could be reviewed, or not yet.
  case notEligible
  /// It is too late.
  case over
}

/// How a review is given.
public struct ReviewRule: Sendable, Equatable {
  /// How long a review can be given when a domain does not say.
  public static let standardWindow = Duration.seconds(28 * 86_400)

  /// The last instant at which it can be given.
  public var until: Instant
  /// The scores.
  public var scale: ClosedRange<Int32> = 1...5
  /// What is scored beside the whole, such as `cleanliness`.
  public var aspects: [String] = []
  /// How long it can be changed after it was given.
  public var editable = Duration.seconds(48 * 3600)
  /// Until when it stays hidden unless the other side has written as well; nil for a review that all see at once.
  public var blindUntil: Instant?

  public init(until: Instant) {
    self.until = until
  }
}
