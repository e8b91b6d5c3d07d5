import Base
import Cryptography
import DomainKit
import SocialAPI
import Storage

/// What all parts of the social domain work with. Its methods in other files run inside a transaction that the caller has
/// opened, unless they are `async`.
struct SocialCore: Sendable {
  let kit: Kit
  let timers: Timers
  let people: any People
  let notices: any Notices
  let limits: SocialLimits
  let board: ChangeBoard
  let scorer: any ToxicityScorer
  let words: WordKeeper
  /// Proves links.
  let linkKey: SecretKey
  /// Waits between two messages of a stream that conflates.
  let pause: @Sendable (Duration) async throws -> Void

  var now: Instant { kit.clock.now() }

  /// A user as shown beside what he or she has said or done.
  func member(_ user: Identifier, in reader: any Reader) throws -> Member {
    var member = Member()
    member.userID = user.text(kind: IDKind.user)
    if let person = try people.person(user, in: reader) {
      member.handle = person.handle
      member.displayName = person.displayName
    }
    return member
  }

  /// Whether one of two users has blocked the other, for somebody who looks at what the other has done.
  func isHidden(_ other: Identifier, from caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let caller, caller.user != other, try kit.community.isBlocked(caller.user, other, in: reader) else {
      return false
    }
    if caller.roles.isStaff { caller.seesAsStaff(SubjectID(IDKind.user, other)) }
    return !caller.roles.isStaff
  }

  /// Takes one of what a user may do so often a day.
  /// - Throws: `KitError.dayLimitExceeded`.
  func take(_ quota: String, of user: Identifier, limit: Int64, in writer: any Writer) throws {
    try Self.quotas.take(user, quota, limit: limit, at: now, in: writer)
  }

  private static let quotas = DayQuota("social_quotas", by: ["user_id", "quota"], count: "used")

  /// Waits until no other transaction has this turn, and keeps it until the end of this one. A transaction takes one turn
  /// at most, before anything else that others may hold.
  func takeTurn(_ turn: Turn, in writer: any Writer) throws {
    func isTaken() throws -> Bool {
      try writer.firstForUpdate("SELECT number FROM social_turns WHERE number = $1", turn.number) { _ in true } ?? false
    }
    if try isTaken() { return }
    try writer.execute("INSERT INTO social_turns (number) VALUES ($1) ON CONFLICT (number) DO NOTHING", turn.number)
    guard try isTaken() else { throw RetryTransaction() }
  }
}

/// What changes by one transaction at a time though it has no row of its own. Some share a number by chance: they only wait.
struct Turn: Sendable {
  private static let numbers: UInt64 = 1024

  let number: Int64

  /// What two users are to each other.
  init(between a: Identifier, _ b: Identifier) {
    number = Int64(min(a, b).mixed(max(a, b).mixed()) % Self.numbers)
  }

  /// What is decided, or written, about one thing.
  init(about subject: SubjectID) {
    number = Int64(subject.id.mixed() % Self.numbers)
  }
}

extension Identifier {
  /// Bits that differ though identifiers of one time are alike (the finalizer of SplitMix64).
  func mixed(_ seed: UInt64 = 0) -> UInt64 {
    var bits = UInt64(bitPattern: rawValue) &+ seed &+ 0x9e37_79b9_7f4a_7c15
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
  }
}

/// The kind prefixes of the domain's ids.
enum IDKind {
  static let user = "user"
  static let comment = "cmt"
  static let link = "link"
  static let report = "rep"
  static let review = "rev"
  static let decision = "dec"
}
