import Base
public import DomainKit
public import RPC
import SocialAPI
public import Storage
public import Streaming

/// What people say to each other and about things, for all domains: following, and what hangs on subjects.
///
///     let social = SocialDomain(kit: kit, timers: timers, people: identity.people, notices: notify.notices, scorer: scorer)
///     kit.community.link(to: social.community, reads: social.community)
///     kit.subjects.observe(social.observer)
///     social.register(in: &registry)
public struct SocialDomain: Domain {
  public static let name = "social"
  public static var migrations: [Migration] { SocialSchema.migrations }
  public static var descriptors: [[UInt8]] { [SocialAPIDescriptors.serializedFileDescriptorSet] }
  public static var roles: [RoleDefinition] { [.staff("social.moderator")] }
  public static var noticeKinds: [NoticeKind] { SocialNotices.all }

  let core: SocialCore
  private let background = BackgroundLoop()
  /// How late a change that another node has made, and of which its word was lost, is seen.
  private static let lookInterval = Duration.seconds(1)

  /// Sets the handlers of its timers, so `timers` must not have been started.
  /// - Parameters:
  ///   - people: tells how users are shown.
  ///   - notices: knows the kinds that this domain declares.
  ///   - scorer: judges what people write; gets the moderators' words.
  ///   - pause: waits between two messages of a stream of counters; tests do not.
  public init(
    kit: Kit, timers: Timers, people: any People, notices: any Notices,
    scorer: any ToxicityScorer & WordLists, limits: SocialLimits = SocialLimits(),
    pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    core = SocialCore(
      kit: kit, timers: timers, people: people, notices: notices, limits: limits,
      board: ChangeBoard("social.counters", kit), scorer: scorer, words: WordKeeper(scorer, limit: limits.listedWords),
      linkKey: kit.keys.derived(for: "social links 1"), pause: pause)
    core.handleTriage()
    core.handleUnblinding()
    core.handleOpenness()
    core.handleGone()
    core.handleEmptied()
  }

  /// What users are to each other, and what they have said of things, as all domains ask.
  public var community: any Community & CommunityReads { SocialCommunity() }

  /// Links that credit their makers.
  public var links: any ShareLinks { SocialLinks(core: core) }

  /// Where other domains' texts go that people have to look at.
  public var reviews: any ReviewQueue { ScoredTexts(core: core) }

  /// Ends streams about what has become hidden, and removes what was said about what is gone.
  public var observer: any SubjectObserver { CommentWatchers(core: core) }

  public var subjects: [any SubjectKind] { [CommentSubject(core: core), ReviewSubject(core: core)] }

  public var findables: [any FindableKind] { [FindableComments(), FindableReviews()] }

  public var topicRetention: [String: TopicRetention] {
    ["comments": TopicRetention(age: Self.eventAge), "moderation": TopicRetention(age: Self.eventAge)]
  }
  /// How long events are kept for those who come back.
  private static let eventAge = Duration.seconds(7 * 86_400)

  public var audiences: [any AudienceSource] { [Followers(subjects: core.kit.subjects)] }

  public var personalRecords: (any PersonalRecords)? { SocialRecords(core: core) }

  public func register(in registry: inout ServiceRegistry) {
    FollowHandlers(core: core).register(in: &registry)
    ReactionHandlers(core: core).register(in: &registry)
    CommentHandlers(core: core).register(in: &registry)
    ShareHandlers(core: core).register(in: &registry)
    ModerationHandlers(core: core).register(in: &registry)
    ReviewHandlers(core: core).register(in: &registry)
  }

  public func start() async throws {
    try await core.words.load(from: core.kit.database)
    // Alone, a node knows of all changes as they commit.
    guard let others = core.kit.others else { return }
    background.start { [background, core] in
      var watch = ChangeWatch(core.board, core.kit, read: SocialCore.counters(of:in:))
      while !background.isStopping {
        await others.look(for: "counters") { try await watch.look() }
        await others.look(for: "word lists") { try await core.words.load(from: core.kit.database) }
        await background.pause(atMost: Self.lookInterval)
      }
    }
  }

  public func stop() async { await background.stop() }

  /// Checks the invariants of the domain on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    let (subjects, now) = (core.kit.subjects, core.now)
    return try await core.kit.checkOnSnapshot { try SocialAudit(reader: $0, subjects: subjects, now: now).reports() }
  }
}
