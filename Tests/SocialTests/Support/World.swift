import Base
import Cryptography
import DomainKit
import Identity
import IdentityAPI
import Notify
import NotifyAPI
import PostgreSQLServer
import RPC
import Refusals
import Search
import SearchAPI
import SocialAPI
import Storage
import Streaming

@testable import Social

/// A whole server of people in one process: a database, the RPC core, accounts, notices, the social domain, and things
/// that it can say something about.
final class World: Sendable {
  private static let password = "people in glass houses"

  let clock: ManualClock
  let database: any Database
  let kit: Kit
  let timers: Timers
  let identity: IdentityDomain
  let notify: NotifyDomain
  let social: SocialDomain
  let search: SearchDomain
  private let transport: InProcessTransport

  static func open(
    limits: SocialLimits = SocialLimits(), topicLimits: TopicLimits = TopicLimits(),
    scorer: any ToxicityScorer & WordLists = WordScorer()
  ) async throws -> World {
    let clock = ManualClock(Instant(seconds: 1_767_225_600))
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + Sights.migrations + IdentityDomain.migrations + NotifyDomain.migrations
        + SocialDomain.migrations + SearchDomain.migrations + Things.migrations, clock: clock)
    return try await World(clock, database, limits, topicLimits, scorer)
  }

  private init(
    _ clock: ManualClock, _ database: any Database, _ limits: SocialLimits, _ topicLimits: TopicLimits,
    _ scorer: any ToxicityScorer & WordLists
  ) async throws {
    self.clock = clock
    self.database = database
    let root = SecretKey.random()
    let random = SeededRandomSource(seed: 1)
    let keys = try ServerKeys(root: root)
    let authority = try IdentityAuthority(database: database, clock: clock, keys: keys)
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root, limits: topicLimits), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: random, keys: keys, authority: authority,
      log: Log(level: .error), roles: RoleCatalog(SocialDomain.roles), beatInterval: nil)
    timers = Timers(database: database, clock: clock, random: random)
    identity = try await IdentityDomain(
      kit: kit, timers: timers, authority: authority, passwords: PlainPasswords())
    let outbound = NoOutbound()
    notify = NotifyDomain(
      kit: kit, timers: timers, people: identity.people, contacts: identity.contacts,
      kinds: NotifyDomain.noticeKinds + SocialDomain.noticeKinds,
      outbound: OutboundWays(push: outbound, mail: outbound, sms: outbound))
    social = SocialDomain(
      kit: kit, timers: timers, people: identity.people, notices: notify.notices, scorer: scorer, limits: limits,
      pause: { _ in })
    kit.community.link(to: social.community, reads: social.community)
    kit.subjects.observe(social.observer)
    search = SearchDomain(kit: kit, timers: timers)
    kit.findables.link(to: search.findables)
    search.register(kinds: social.findables)
    notify.register(audiences: notify.audiences + identity.audiences + social.audiences)
    kit.subjects.register(identity.subjects + social.subjects + [Things(), Guests()])
    var registry = ServiceRegistry()
    for domain in [identity, notify, social, search] as [any Domain] { domain.register(in: &registry) }
    let plenty = Rate(perSecond: 99_999, burst: 99_999)
    let access = AccessInterceptor(kit: kit, limits: RateLimits(standard: plenty, expensive: plenty))
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  /// The core of another node on the same database.
  /// - Parameter database: by what it reaches it, if by another way.
  func other(node: Int, database: (any Database)? = nil) throws -> SocialCore {
    let database = database ?? self.database
    let nodes = OtherNodes(bus: nil, node: node, database: database, clock: clock, random: kit.random)
    let kit = Kit(
      database: database, hub: kit.hub, clock: clock, identifiers: kit.identifiers, random: kit.random, keys: kit.keys,
      authority: kit.authority, log: kit.log, others: nodes, beatInterval: nil)
    let timers = Timers(database: database, clock: clock, random: kit.random)
    let domain = SocialDomain(
      kit: kit, timers: timers, people: identity.people, notices: notify.notices, scorer: WordScorer())
    kit.community.link(to: domain.community, reads: domain.community)
    kit.subjects.register(identity.subjects + domain.subjects + [Things()])
    return domain.core
  }

  func close() async {
    await social.stop()
    await notify.stop()
    await database.close()
  }

  /// A new user who has logged in.
  func user(_ handle: String, roles: [String] = []) async throws -> Somebody {
    let id = try await identity.ensureUser(
      handle: handle, displayName: "\(handle) the person", password: Self.password, roles: roles)
    var request = LoginRequest()
    request.requestID = newRequestID()
    request.loginName = handle
    request.password = Self.password
    let session = try await SessionServiceClient(channel(nil)).login(request).session
    return Somebody(
      id: id, handle: handle, channel: channel((id, try Identifier.parse(session?.id ?? "", kind: "sess"))))
  }

  /// Somebody without credentials.
  func stranger() -> Somebody {
    Somebody(id: Identifier(rawValue: 0), handle: "", channel: channel(nil))
  }

  private func channel(_ user: (id: Identifier, session: Identifier)?) -> RPCChannel {
    let (keys, clock) = (kit.keys, clock)
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      if let user {
        let token = AccessToken(
          user: user.id, session: user.session, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
        try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      }
      return metadata
    }
    return RPCChannel(
      transport: transport, authority: "in-process", interceptors: [credentials, Patience()], clock: clock)
  }

  /// Has the index built, and does what is due until nothing is.
  func index() async throws {
    try await search.start()
    try await settle()
  }

  /// Moves the clock, then does what has become due.
  func advance(by duration: Duration) async throws {
    clock.advance(by: duration)
    try await timers.runDue()
  }

  func counters(_ subject: String) async throws -> [String: Int64] {
    guard let subject = SubjectID(parsing: subject) else { return [:] }
    let core = social.core
    return try await database.read { try core.counters(of: subject, in: $0) }.filter { $0.value != 0 }
  }

  /// The invariants that do not hold.
  func broken() async throws -> [InvariantCheck] { try await social.checkInvariants().filter { !$0.holds } }
}

/// A user as tests use one.
struct Somebody: Sendable {
  let id: Identifier
  let handle: String
  let channel: RPCChannel

  var text: String { id.text(kind: "user") }
  var follows: FollowServiceClient { FollowServiceClient(channel) }
  var profiles: ProfileServiceClient { ProfileServiceClient(channel) }

  func profile(of user: Somebody) async throws -> Profile {
    var request = GetProfileRequest()
    request.userID = user.text
    return try await profiles.getProfile(request)
  }

  func show(profileTo visibility: ProfileVisibility) async throws {
    var request = SetPreferencesRequest()
    request.requestID = newRequestID()
    request.preferences = try await profiles.getPreferences(GetPreferencesRequest())
    request.preferences?.profileVisibility = visibility
    _ = try await profiles.setPreferences(request)
  }

  /// The kinds of the notices in the inbox, oldest first.
  func notices() async throws -> [String] {
    try await NotificationServiceClient(channel).listInbox(ListInboxRequest()).notices.reversed().map(\.kind)
  }
}

/// Keeps passwords as they are: nobody's secret is at stake, and hashing takes its time.
private struct PlainPasswords: PasswordWork {
  func hash(_ password: String) async throws -> String { "$argon2id$" + password }
  func verify(_ password: String, against hash: String) async throws -> Bool { hash == "$argon2id$" + password }
}

/// Nothing leaves the house.
private struct NoOutbound: Outbound {
  func accepts(_ address: String) -> Bool { true }
  func send(_ letter: OutboundLetter) async -> SendOutcome { .accepted }
  func close() async {}
}

/// Something else came than the test waits for.
struct Unexpected: Error {}
