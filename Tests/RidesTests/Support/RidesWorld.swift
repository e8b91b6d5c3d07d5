import Base
import Chat
import Cryptography
import DomainKit
import Notify
import OctetTypes
import PostgreSQLServer
import RPC
import Refusals
import RidesAPI
import Storage
import Streaming

@testable import Rides

/// A whole server of rides in one process: a database, the RPC core, real clients over the in-process transport, and a clock
/// that the test moves. Background loops do not run unless a test starts them; it calls `match()` and `runTimers()`.
final class RidesWorld: Sendable {
  let clock: ManualClock
  let database: any Database
  let people = TestPeople()
  let identifiers: IdentifierGenerator
  let keys: ServerKeys
  private let limits: RidesLimits
  private let topicLimits: TopicLimits
  private let chatLimits: ChatLimits
  private let pacer: Pacer
  private let isShared: Bool
  private let node: Locked<Node>

  /// What a restart makes anew.
  struct Node: Sendable {
    let rides: RidesDomain
    let timers: Timers
    let transport: InProcessTransport
    let kit: Kit
  }

  /// 2026-01-01T12:00:00Z, by default.
  static let noon = Instant(seconds: 1_767_268_800)

  init(
    limits: RidesLimits = RidesLimits(), topicLimits: TopicLimits = TopicLimits(),
    chatLimits: ChatLimits = ChatLimits(), start: Instant = RidesWorld.noon, pacer: Pacer = Pacer(),
    isShared: Bool = false
  ) async throws {
    let clock = ManualClock(start)
    self.clock = clock
    self.limits = limits
    self.topicLimits = topicLimits
    self.chatLimits = chatLimits
    self.pacer = pacer
    self.isShared = isShared
    database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + ChatDomain.migrations + NotifyDomain.migrations + RidesDomain.migrations,
      clock: clock)
    identifiers = IdentifierGenerator(clock: clock)
    keys = try ServerKeys(root: SecretKey([UInt8](repeating: 7, count: ServerKeys.rootLength)))
    node = Locked(
      try Self.makeNode(
        limits: limits, topicLimits: topicLimits, chatLimits: chatLimits, clock: clock, database: database,
        people: people, identifiers: identifiers, keys: keys, number: isShared ? 1 : nil, pacer: pacer))
    try await rides.seedDemo()
  }

  /// Another node on the same database, where new channels go from now on.
  /// - Returns: the node before, which goes on.
  func join(number: Int) throws -> Node {
    let fresh = try Self.makeNode(
      limits: limits, topicLimits: topicLimits, chatLimits: chatLimits, clock: clock, database: database,
      people: people, identifiers: identifiers, keys: keys, number: number, pacer: pacer)
    return node.withLock { node in
      defer { node = fresh }
      return node
    }
  }

  var rides: RidesDomain { node.withLock { $0.rides } }
  var core: RidesCore { rides.core }
  var hub: TopicHub { node.withLock { $0.kit.hub } }
  var transport: InProcessTransport { node.withLock { $0.transport } }

  /// Loses all that is in memory, as a crash would, and starts again on the same database.
  func restart() async throws {
    let fresh = try Self.makeNode(
      limits: limits, topicLimits: topicLimits, chatLimits: chatLimits, clock: clock, database: database,
      people: people, identifiers: identifiers, keys: keys, number: isShared ? 1 : nil, pacer: pacer)
    node.withLock { $0 = fresh }
    try await rides.core.restoreFleet()
  }

  /// One round of matching. Returns how many offers were made.
  @discardableResult
  func match() async throws -> Int { try await rides.matchOnce() }

  /// Moves the clock, then does what has become due.
  func advance(by duration: Duration) async throws {
    clock.advance(by: duration)
    try await runTimers()
  }

  func runTimers() async throws {
    let timers = node.withLock { $0.timers }
    try await timers.runDue()
    let dead = try await database.read { try timers.dead(limit: 1, in: $0) }
    guard dead.isEmpty else { throw TimerFailed(dead: "\(dead)") }
  }

  /// A channel whose calls are made by a user.
  func channel(_ user: Identifier, session: Identifier? = nil) -> RPCChannel {
    let keys = keys
    let clock = clock
    let session = session ?? user
    let credentials = CallCredentials { _ in
      let token = AccessToken(
        user: user, session: session, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
      var metadata = Metadata()
      try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      return metadata
    }
    return RPCChannel(
      transport: transport, authority: "test", interceptors: [credentials, Patience()], clock: clock)
  }

  /// A new user.
  func user(_ roles: String...) -> Identifier {
    let user = identifiers.next()
    for role in roles { people.give(role, to: user) }
    return user
  }

  /// The demo city.
  func city() async throws -> CityRecord {
    guard let city = try await database.read({ try $0.cities().first }) else { throw RidesError.noService }
    return city
  }

  private static func makeNode(
    limits: RidesLimits, topicLimits: TopicLimits, chatLimits: ChatLimits, clock: ManualClock,
    database: any Database, people: TestPeople, identifiers: IdentifierGenerator, keys: ServerKeys, number: Int?,
    pacer: Pacer
  ) throws -> Node {
    let random = SeededRandomSource(seed: UInt64(number ?? 1))
    let hub = TopicHub(
      database: database, clock: clock, key: keys.derived(for: "hub"), isShared: number != nil, limits: topicLimits)
    let others = number.map {
      OtherNodes(bus: nil, node: $0, database: database, clock: clock, random: random)
    }
    let kit = Kit(
      database: database, hub: hub, clock: clock, identifiers: identifiers, random: random, keys: keys,
      authority: people,
      log: Log(level: .error, clock: clock), others: others, beatInterval: nil)
    let timers = Timers(database: database, clock: clock, random: random)
    let notify = NotifyDomain(
      kit: kit, timers: timers, people: people, contacts: people,
      kinds: ChatDomain.noticeKinds + RidesDomain.noticeKinds,
      outbound: OutboundWays(push: NoWay(), mail: NoWay(), sms: NoWay()))
    let jobs = Jobs(timers: timers)
    let rides = RidesDomain(
      kit: kit, jobs: jobs,
      rooms: ChatRooms(
        kit: kit, people: people, notices: notify.notices, scorer: WordScorer(), limits: chatLimits),
      notices: notify.notices, limits: limits, pause: pacer.pause)
    var registry = ServiceRegistry()
    rides.register(in: &registry)
    try jobs.register(rides.jobs, of: RidesDomain.name, kit.timeZones)
    let unlimited = Rate(perSecond: 1_000_000, burst: 1_000_000)
    let access = AccessInterceptor(
      kit: kit,
      limits: RateLimits(standard: unlimited, expensive: unlimited, telemetry: unlimited))
    let server = RPCServer(registry: registry, interceptors: [access], clock: clock)
    return Node(rides: rides, timers: timers, transport: InProcessTransport(acceptor: server), kit: kit)
  }
}

/// A timer failed for good.
struct TimerFailed: Error {
  let dead: String
}

/// A place in the demo city, some metres north and east of the railway station.
func place(north: Double = 0, east: Double = 0) -> LatLng {
  var place = LatLng()
  place.latitude = 60.1719 + north / 111_195
  place.longitude = 24.9414 + east / 55_300
  return place
}
