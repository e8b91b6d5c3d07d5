import Base
import ChatAPI
import Cryptography
import DomainKit
import FilesInMemory
import Foundation
import Notify
import PostgreSQLServer
import ProtobufRuntime
import RPC
import Refusals
import Storage
import Streaming

@testable import Chat

/// A server with ChatService and two chat methods as other domains would have them: a database, the RPC core, rooms,
/// notices.
///
/// Who is called what and may do what, `Doors` says, because people are another domain's business.
final class Lounge: Sendable {
  static let method = MethodDescriptor(
    service: "test.Lounge", name: "Chat", kind: .bidirectional, policy: MethodPolicy(access: .user, mutates: true))
  static let visitorMethod = MethodDescriptor(
    service: "test.Lounge", name: "Visit", kind: .bidirectional, policy: MethodPolicy(access: .user, mutates: true))

  /// One of the processes that serve the database.
  struct Node: Sendable {
    let kit: Kit
    let timers: Timers
    let domain: ChatDomain
    let rooms: ChatRooms
    let transport: InProcessTransport
  }

  let clock = ManualClock()
  let database: any Database
  private let noting: NotingDatabase
  let doors = Doors()
  let threads = Threads()
  let reviews = Reviews()
  let quarrels = Quarrels()
  let files: FilesInMemory
  private let nodes: [Node]

  var kit: Kit { nodes[0].kit }
  var rooms: ChatRooms { nodes[0].rooms }
  var domain: ChatDomain { domain(node: 0) }
  var timers: Timers { nodes[0].timers }

  /// - Parameters:
  ///   - nodes: how many processes serve the database, without a bus between them.
  ///   - scorer: judges what is said.
  ///   - pause: what a stream does between two looks at what is counted.
  static func open(
    nodes: Int = 1, limits: ChatLimits = ChatLimits(), topicLimits: TopicLimits = TopicLimits(),
    scorer: any ToxicityScorer = WordScorer(),
    pause: @escaping @Sendable (Duration) async throws -> Void = { _ in }
  ) async throws -> Lounge {
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + Sights.migrations + NotifyDomain.migrations + ChatDomain.migrations,
      clock: ManualClock())
    return try Lounge(
      database: NotingDatabase(database), nodes: nodes, limits: limits, topicLimits: topicLimits, scorer: scorer,
      pause: pause)
  }

  private init(
    database: NotingDatabase, nodes: Int, limits: ChatLimits, topicLimits: TopicLimits, scorer: any ToxicityScorer,
    pause: @escaping @Sendable (Duration) async throws -> Void
  ) throws {
    noting = database
    self.database = database
    let root = SecretKey.random()
    let identifiers = IdentifierGenerator(clock: clock)
    files = FilesInMemory(identifiers: identifiers)
    var made: [Node] = []
    for number in 1...nodes {
      let random = SeededRandomSource(seed: UInt64(number))
      let others = OtherNodes(bus: nil, node: number, database: database, clock: clock, random: random)
      let kit = Kit(
        database: database,
        hub: TopicHub(database: database, clock: clock, key: root, isShared: nodes > 1, limits: topicLimits),
        clock: clock,
        identifiers: identifiers, random: random, keys: try ServerKeys(root: root), authority: doors,
        log: Log(level: .error), others: nodes > 1 ? others : nil, beatInterval: nil)
      let notify = NotifyDomain(
        kit: kit, timers: Timers(database: database, clock: clock, random: kit.random), people: doors, contacts: doors,
        kinds: ChatDomain.noticeKinds, outbound: OutboundWays(push: NoWay(), mail: NoWay(), sms: NoWay()))
      let timers = Timers(database: database, clock: clock, random: kit.random)
      let jobs = Jobs(timers: timers)
      let domain = ChatDomain(
        kit: kit, people: doors, notices: notify.notices, scorer: scorer, reviews: reviews,
        files: files, jobs: jobs, limits: limits, pause: pause)
      try jobs.register(domain.jobs, of: ChatDomain.name, kit.timeZones)
      guard let rooms = domain.rooms as? ChatRooms else { preconditionFailure("these are the rooms") }
      kit.community.link(to: quarrels)
      kit.subjects.observe(domain.observer)
      kit.subjects.register(domain.subjects + [threads])
      var registry = ServiceRegistry()
      domain.register(in: &registry)
      Self.register(rooms, in: &registry)
      let fast = Rate(perSecond: 1_000_000, burst: 1_000_000)
      let access = AccessInterceptor(kit: kit, limits: RateLimits(standard: fast))
      let server = RPCServer(registry: registry, interceptors: [access], clock: clock)
      made.append(
        Node(
          kit: kit, timers: timers, domain: domain, rooms: rooms, transport: InProcessTransport(acceptor: server)))
    }
    self.nodes = made
  }

  private static func register(_ rooms: ChatRooms, in registry: inout ServiceRegistry) {
    for (method, access) in [(Self.method, RoomAccess.member), (Self.visitorMethod, .visitor)] {
      registry.bidirectional(method) {
        (requests: RequestReader<ClientFrame>, responses: ResponseWriter<ServerFrame>, context) in
        guard let first = try await requests.next() else { return }
        let room = try Identifier(context.metadata["room"] ?? "", kind: "room", field: "room")
        try await rooms.converse(
          in: room, access: access, first: first,
          over: ChatFrames(requests, responses, unwrap: { $0 }, wrap: { $0 }), context)
      }
    }
  }

  func domain(node: Int) -> ChatDomain { nodes[node].domain }

  func close() async {
    for node in nodes { node.kit.hub.close() }
    await database.close()
  }

  /// How many statements have run that have a text in them.
  func statements(with text: String) -> Int { noting.count(of: text) }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    try await database.write(body)
  }

  private func channel(_ user: Identifier, node: Int) -> RPCChannel {
    let (keys, clock) = (kit.keys, clock)
    let credentials = CallCredentials { _ in
      let token = AccessToken(user: user, session: user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
      var metadata = Metadata()
      try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      return metadata
    }
    return RPCChannel(
      transport: nodes[node].transport, authority: "in-process", interceptors: [credentials, Patience()], clock: clock)
  }

  /// A user's client of ChatService.
  func client(_ user: Identifier, node: Int = 0) -> ChatServiceClient { ChatServiceClient(channel(user, node: node)) }

  /// A stream of a user in a room by another domain's method, which has sent its join.
  func enter(
    _ room: Identifier, as user: Identifier, resumeToken: String = "", asVisitor: Bool = false, node: Int = 0
  ) async throws -> Guest {
    var options = CallOptions()
    try options.metadata.add("room", room.text(kind: "room"))
    let guest = Guest(
      channel(user, node: node).bidirectional(asVisitor ? Self.visitorMethod : Self.method, options: options))
    return try await sendJoin(guest, resumeToken)
  }

  /// A stream of a user in a room by ChatService, which has sent its join.
  func chat(_ room: String, as user: Identifier, resumeToken: String = "", node: Int = 0) async throws -> Guest {
    try await sendJoin(Guest(client(user, node: node).chat(), room: room), resumeToken)
  }

  private func sendJoin(_ guest: Guest, _ resumeToken: String) async throws -> Guest {
    var join = Join()
    join.resumeToken = resumeToken
    try await guest.send(.join(join))
    return guest
  }

  func openRoom(
    _ kind: ChatAPI.RoomKind, as user: Identifier, about subject: String = "", requestID: String = UUID().uuidString
  ) async throws -> Room {
    var request = OpenRoomRequest()
    request.requestID = requestID
    request.kind = kind
    request.subjectID = subject
    return try await client(user).openRoom(request)
  }

  func closeRoom(_ room: String, as user: Identifier) async throws -> Room {
    var request = CloseRoomRequest()
    request.requestID = UUID().uuidString
    request.roomID = room
    return try await client(user).closeRoom(request)
  }

  func takeRoom(_ room: String, as user: Identifier) async throws -> Room {
    var request = TakeRoomRequest()
    request.requestID = UUID().uuidString
    request.roomID = room
    return try await client(user).takeRoom(request)
  }

  func markRead(_ room: String, as user: Identifier, _ number: Int64) async throws -> MarkRoomReadResponse {
    var request = MarkRoomReadRequest()
    request.requestID = UUID().uuidString
    request.roomID = room
    request.number = number
    return try await client(user).markRoomRead(request)
  }

  func list(
    _ user: Identifier, kind: ChatAPI.RoomKind = .unspecified, waiting: Bool = false, size: Int32 = 0,
    token: String = ""
  ) async throws -> ListRoomsResponse {
    var request = ListRoomsRequest()
    request.kind = kind
    request.waiting = waiting
    request.pageSize = size
    request.pageToken = token
    return try await client(user).listRooms(request)
  }

  func messages(
    _ room: String, as user: Identifier, size: Int32 = 0, token: String = ""
  ) async throws -> ListMessagesResponse {
    var request = ListMessagesRequest()
    request.roomID = room
    request.pageSize = size
    request.pageToken = token
    return try await client(user).listMessages(request)
  }

  /// How many notices a user has.
  func noticeCount(_ user: Identifier) async throws -> Int64 {
    try await database.read { reader in
      try reader.first(
        "SELECT COUNT(*) FROM notify_inbox WHERE user_id = $1 AND kind = $2", user, ChatDomain.messageNotice.name
      ) { $0[0] } ?? 0
    }
  }

  /// What breaks the domain's invariants.
  func violations() async throws -> [InvariantCheck] {
    let checks = try await domain.checkInvariants()
    precondition(checks.count == 7)
    return checks.filter { !$0.holds }
  }
}

/// Nobody in these tests can be reached but by the inbox.
private struct NoWay: Outbound {
  func accepts(_ address: String) -> Bool { false }

  func send(_ letter: OutboundLetter) async -> SendOutcome { .refused("there is no way") }

  func close() async {}
}

/// Remembers what people have to look at. What a transaction that is not committed puts there is there as well.
final class Reviews: ReviewQueue {
  private let found = Locked<Set<SubjectID>>([])

  var subjects: Set<SubjectID> { found.withLock { $0 } }

  func review(_ subject: SubjectID, by author: Identifier, _ score: ToxicityScore, in writer: any Writer) throws {
    precondition(score.verdict == .reviewed)
    _ = found.withLock { $0.insert(subject) }
  }

  func withdraw(_ subject: SubjectID, in writer: any Writer) throws {
    _ = found.withLock { $0.remove(subject) }
  }
}

/// Threads of a forum: some hang on another one, some are hidden, some take no posts.
final class Threads: SubjectKind {
  private struct State {
    var owners: [Identifier: Identifier] = [:]
    var parents: [Identifier: Identifier] = [:]
    var hidden: Set<Identifier> = []
    var postings: [Identifier: Posting] = [:]
  }

  let prefix = "thread"
  private let state = Locked(State())

  func add(_ thread: Identifier, owner: Identifier, parent: Identifier? = nil) {
    state.withLock { state in
      state.owners[thread] = owner
      state.parents[thread] = parent
    }
  }

  func remove(_ thread: Identifier) { state.withLock { $0.owners[thread] = nil } }

  func hide(_ thread: Identifier) { _ = state.withLock { $0.hidden.insert(thread) } }

  func set(_ posting: Posting, on thread: Identifier) { state.withLock { $0.postings[thread] = posting } }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    state.withLock { state in
      state.owners[id].map { owner in
        SubjectFacts(owner: owner, parent: state.parents[id].map { SubjectID("thread", $0) })
      }
    }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    state.withLock { state in
      !state.hidden.contains(id) && state.parents[id].map { !state.hidden.contains($0) } ?? true
    }
  }

  func posting(on id: Identifier, by caller: Caller, in reader: any Reader) throws -> Posting {
    state.withLock { $0.postings[id] ?? .allowed }
  }
}
