import Base
import ChatAPI
import Cryptography
import DomainKit
import PostgreSQLServer
import ProtobufRuntime
import RPC
import Storage
import Streaming

/// A server with methods of a test's own, over the in-process transport.
final class Workshop: Sendable {
  let clock = ManualClock()
  let doors: Doors
  let trail = Trail()
  let database: any Database
  private let noting: NotingDatabase
  let kit: Kit

  /// How many statements have run.
  var statementCount: Int { noting.count }

  static let user = Identifier(rawValue: 1)

  /// - Parameter hasOthers: whether other nodes serve the database, without a bus between them.
  init(
    topicLimits: TopicLimits = TopicLimits(), beatInterval: Duration? = nil, hasOthers: Bool = false
  ) async throws {
    doors = try Doors(clock: clock)
    noting = NotingDatabase(
      try await EngineUnderTest.openTemporary(
        migrations: TopicStore.migrations + Sights.migrations + [
          Migration("test", 1, "notes", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        ], clock: clock))
    database = noting
    let (root, random) = (SecretKey.random(), SeededRandomSource(seed: 1))
    let others = OtherNodes(bus: nil, node: 1, database: database, clock: clock, random: random)
    kit = Kit(
      database: database, hub: TopicHub(database: EdgeDatabase(database), clock: clock, key: root, limits: topicLimits),
      clock: clock, identifiers: IdentifierGenerator(clock: clock), random: random,
      keys: try ServerKeys(root: root), authority: doors, log: Log(level: .error),
      others: hasOthers ? others : nil, audit: trail, beatInterval: beatInterval)
  }

  /// A channel to the methods that `register` adds.
  func channel(
    limits: RateLimits = RateLimits(), openServices: Set<String> = [], _ register: (inout ServiceRegistry) -> Void
  ) -> RPCChannel {
    var registry = ServiceRegistry()
    register(&registry)
    let access = AccessInterceptor(kit: kit, limits: limits, openServices: openServices)
    return RPCChannel(
      transport: InProcessTransport(
        acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock)),
      authority: "in-process", clock: clock)
  }

  /// Credentials of a user.
  /// - Parameter session: nil for the one with the user's own number.
  func credentials(_ user: Identifier = Workshop.user, session: Identifier? = nil) throws -> CallOptions {
    let token = AccessToken(
      user: user, session: session ?? user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
    var options = CallOptions()
    try options.metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: kit.keys))
    return options
  }

  var notes: [String] {
    get async throws { try await database.read { try $0.rows("SELECT text FROM notes ORDER BY id") { $0[0] } } }
  }
}
