import Base
import ChatAPI
import Cryptography
import DomainKit
import PostgreSQLServer
import ProtobufRuntime
import RPC
import Storage
import Streaming

@testable import Chat

/// A server with one chat method, as a domain would have it: a database, the RPC core, rooms.
///
/// The method's policy is public and an interceptor names the caller, because sessions are another domain's business.
final class Lounge: Sendable {
  static let method = MethodDescriptor(
    service: "test.Lounge", name: "Chat", kind: .bidirectional, policy: MethodPolicy(access: .user, mutates: true))
  static let visitorMethod = MethodDescriptor(
    service: "test.Lounge", name: "Visit", kind: .bidirectional, policy: MethodPolicy(access: .user, mutates: true))

  let clock = ManualClock()
  let database: any Database
  let doors = Doors()
  let kit: Kit
  let rooms: ChatRooms
  private let transport: InProcessTransport

  static func open() async throws -> Lounge {
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + ChatRooms.migrations, clock: ManualClock())
    return try Lounge(database: database)
  }

  private init(database: any Database) throws {
    self.database = database
    let root = SecretKey.random()
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: SeededRandomSource(seed: 1),
      keys: try ServerKeys(root: root), authority: doors, log: Log(level: .error))
    rooms = ChatRooms(kit: kit, people: doors)
    var registry = ServiceRegistry()
    for (method, access) in [(Self.method, RoomAccess.member), (Self.visitorMethod, .visitor)] {
      registry.bidirectional(method) {
        [rooms] (requests: RequestReader<ClientFrame>, responses: ResponseWriter<ServerFrame>, context) in
        guard let first = try await requests.next() else { return }
        let room = try Identifier(context.metadata["room"] ?? "", kind: "room", field: "room")
        try await rooms.converse(
          in: room, access: access, first: first,
          over: ChatFrames(requests, responses, unwrap: { $0 }, wrap: { $0 }), context)
      }
    }
    let access = AccessInterceptor(authority: doors, keys: kit.keys, clock: clock)
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    try await database.write(body)
  }

  /// A stream of a user in a room, which has sent its join.
  func enter(
    _ room: Identifier, as user: Identifier, resumeToken: String = "", asVisitor: Bool = false
  ) async throws -> Guest {
    let token = AccessToken(user: user, session: user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
    var options = CallOptions()
    try options.metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: kit.keys))
    try options.metadata.add("room", room.text(kind: "room"))
    let channel = RPCChannel(transport: transport, authority: "in-process", clock: clock)
    let guest = Guest(
      call: channel.bidirectional(asVisitor ? Self.visitorMethod : Self.method, options: options))
    var join = Join()
    join.resumeToken = resumeToken
    try await guest.send(.join(join))
    return guest
  }
}

/// Lets everybody in until their session ends. A user's session has the user's own number.
final class Doors: Authority, People {
  private let ended = Locked<Set<Identifier>>([])

  func end(_ session: Identifier) { _ = ended.withLock { $0.insert(session) } }

  func hasEnded(_ session: Identifier) -> Bool { ended.withLock { $0.contains(session) } }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { RoleSet() }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { RoleSet() }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    if hasEnded(caller.session) { throw KitError.sessionEnded }
    return Standing(provedAt: Instant(seconds: 0))
  }

  func user(handle: String, in reader: any Reader) throws -> Identifier? { nil }

  func preferences(of user: Identifier, in reader: any Reader) throws -> PersonalPreferences { PersonalPreferences() }

  func person(_ user: Identifier, in reader: any Reader) throws -> Person? {
    Person(user: user, handle: "user\(user.rawValue)", displayName: "User \(user.rawValue)")
  }

  func grant(_ role: String, to user: Identifier, on resource: String?, in writer: any Writer) throws {}

  func revoke(_ role: String, from user: Identifier, on resource: String?, in writer: any Writer) throws {}
}
