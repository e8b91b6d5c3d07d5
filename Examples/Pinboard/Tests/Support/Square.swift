import Admin
import AdminAPI
import Base
import Chat
import Cryptography
import DomainKit
import FilesInMemory
import Identity
import IdentityAPI
import Notify
import NotifyAPI
import PinboardAPI
import PostgreSQLServer
import RPC
import Refusals
import SearchAPI
import Social
import Storage
import Streaming
import WellKnownTypes

@testable import Pinboard
@testable import Search

/// A server in one process with the board and the domains that it is wired with, on the engine of OCTET_TEST_ENGINE. What
/// octetd does, and a clock that the test moves.
final class Square: Sendable {
  let clock = ManualClock(Instant(seconds: 1_767_225_600))
  let database: any Database
  let kit: Kit
  private let timers: Timers
  let jobs: Jobs
  let pinboard: PinboardDomain
  let search: SearchDomain
  let files: FilesInMemory
  private let admin: AdminDomain
  private let identity: IdentityDomain
  private let notify: NotifyDomain
  private let social: SocialDomain
  let chat: ChatDomain
  /// What has left the house.
  let post = Post()
  let riddles = Riddles()
  private let transport: InProcessTransport

  init() async throws {
    let kinds: [any Domain.Type] = [
      IdentityDomain.self, ChatDomain.self, NotifyDomain.self, AdminDomain.self, SocialDomain.self, SearchDomain.self,
      PinboardDomain.self,
    ]
    database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + kinds.flatMap { $0.migrations }, clock: clock)
    let (root, random) = (SecretKey.random(), SeededRandomSource(seed: 1))
    let keys = try ServerKeys(root: root)
    let authority = try IdentityAuthority(database: database, clock: clock, keys: keys)
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: random, keys: keys, authority: authority,
      log: Log(level: .error), roles: RoleCatalog(kinds.flatMap { $0.roles }), beatInterval: nil)
    timers = Timers(database: database, clock: clock, random: random)
    jobs = Jobs(timers: timers)
    identity = try await IdentityDomain(
      kit: kit, timers: timers, authority: authority, passwords: PlainPasswords(), challenge: riddles)
    notify = NotifyDomain(
      kit: kit, timers: timers, people: identity.people, contacts: identity.contacts,
      kinds: kinds.flatMap { $0.noticeKinds }, outbound: OutboundWays(push: post, mail: post, sms: post))
    admin = AdminDomain(kit: kit, flags: PinboardDomain.flags, tables: PinboardDomain.tables, methods: []) { _, _ in nil
    }
    let scorer = WordScorer()
    social = SocialDomain(
      kit: kit, timers: timers, people: identity.people, notices: notify.notices, scorer: scorer)
    chat = ChatDomain(kit: kit, people: identity.people, notices: notify.notices, scorer: scorer)
    files = FilesInMemory(identifiers: kit.identifiers)
    pinboard = PinboardDomain(
      DomainParts(
        kit: kit, jobs: jobs, people: identity.people, contacts: identity.contacts, credentials: identity.credentials,
        challenges: identity.challenges, notices: notify.notices, letters: LetterPost(timers: timers, clock: clock),
        rooms: chat.rooms, links: social.links, scorer: scorer, reviewQueue: social.reviews, files: files,
        queue: admin.queue, flags: admin.flags, tables: admin.tables))
    search = SearchDomain(kit: kit, timers: timers)
    kit.community.link(to: social.community, reads: social.community)
    kit.findables.link(to: search.findables)
    let domains: [any Domain] = [identity, chat, notify, admin, social, search, pinboard]
    search.register(kinds: pinboard.findables)
    for domain in domains { kit.subjects.register(domain.subjects) }
    try jobs.register(pinboard.jobs, of: PinboardDomain.name, kit.timeZones)
    var registry = ServiceRegistry()
    for domain in domains { domain.register(in: &registry) }
    let access = AccessInterceptor(kit: kit)
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
    try await admin.start()
    try await search.start()
    try await work()
  }

  func close() async {
    await admin.stop()
    await database.close()
  }

  /// Puts a row into the table of what holds for adverts.
  func put(_ row: RowDraft) async throws {
    try await database.write { [tables = admin.tables] in _ = try tables.put(row, of: Terms.table, in: $0) }
  }

  /// Does what is due until nothing is.
  func work() async throws { while try await timers.runDue() > 0 {} }

  func advance(by duration: Duration) async throws {
    clock.advance(by: duration)
    try await work()
  }

  /// Somebody who has logged in.
  /// - Parameter roles: of staff.
  func user(_ handle: String, roles: [String] = []) async throws -> Passer {
    let id = try await identity.ensureUser(handle: handle, displayName: handle, password: "correct horse", roles: roles)
    var request = LoginRequest()
    (request.requestID, request.loginName, request.password) = (newRequestID(), handle, "correct horse")
    let login = try await SessionServiceClient(channel(nil)).login(request)
    let token = login.tokens?.accessToken
    return Passer(id: id, channel: channel(token)) { [self] in channel(token, solution: $0) }
  }

  /// Puts what a flag is for all.
  func put(_ flag: FlagDeclaration, _ value: Bool, by staff: Passer) async throws {
    var request = PutFlagRequest()
    (request.requestID, request.name, request.value) = (newRequestID(), flag.name, SettingValue())
    request.value?.value = .boolean(value)
    _ = try await AdminServiceClient(staff.channel).putFlag(request)
  }

  /// - Parameter solution: of a challenge.
  private func channel(_ token: String?, solution: String? = nil) -> RPCChannel {
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      if let token { try metadata.add("authorization", "Bearer \(token)") }
      if let solution { try metadata.add("octet-challenge", solution) }
      return metadata
    }
    return RPCChannel(
      transport: transport, authority: "in-process", interceptors: [credentials, Patience()], clock: clock)
  }
}

/// Somebody who comes by the board.
struct Passer: Sendable {
  let id: Identifier
  let channel: RPCChannel
  /// A channel whose calls carry the solution of a challenge.
  let answering: @Sendable (_ solution: String) -> RPCChannel
  var board: PinboardServiceClient { PinboardServiceClient(channel) }

  func pin(
    _ title: String, in section: Section? = nil, photo: String = "", requestID: String = newRequestID()
  ) async throws -> Advert {
    var request = PinAdvertRequest()
    (request.requestID, request.title, request.sectionID) = (requestID, title, section?.id ?? "")
    request.photoUploadID = photo
    return try await board.pinAdvert(request)
  }

  func invite(_ email: String, to advert: Advert) async throws {
    var request = InviteToAdvertRequest()
    (request.requestID, request.advertID, request.email) = (newRequestID(), advert.id, email)
    _ = try await board.inviteToAdvert(request)
  }

  func remove(_ advert: Advert) async throws {
    var request = RemoveAdvertRequest()
    (request.requestID, request.advertID) = (newRequestID(), advert.id)
    _ = try await board.removeAdvert(request)
  }

  func open(_ title: String) async throws -> Section {
    var request = OpenSectionRequest()
    (request.requestID, request.title) = (newRequestID(), title)
    return try await board.openSection(request)
  }

  /// Makes somebody an editor of a section.
  func appoint(_ other: Passer, to section: Section, until end: Instant) async throws {
    var request = GrantRoleRequest()
    (request.requestID, request.userID) = (newRequestID(), other.id.text(kind: "user"))
    (request.role, request.resourceID, request.expireTime) = ("pinboard.editor", section.id, Timestamp(end))
    _ = try await RoleServiceClient(channel).grantRole(request)
  }

  func clear(_ advert: Advert) async throws {
    var request = ClearAdvertRequest()
    (request.requestID, request.advertID) = (newRequestID(), advert.id)
    _ = try await board.clearAdvert(request)
  }

  func hide(_ advert: Advert, _ isPrivate: Bool = true) async throws {
    var request = SetAdvertPrivacyRequest()
    (request.requestID, request.advertID, request.isPrivate) = (newRequestID(), advert.id, isPrivate)
    _ = try await board.setAdvertPrivacy(request)
  }

  func look(at advert: Advert) async throws -> Advert {
    var request = GetAdvertRequest()
    request.advertID = advert.id
    return try await board.getAdvert(request)
  }

  /// All that hangs, page by page.
  func titles(pageSize: Int32 = 0) async throws -> [String] {
    var (request, titles) = (ListAdvertsRequest(), [String]())
    request.pageSize = pageSize
    repeat {
      let page = try await board.listAdverts(request)
      titles += page.adverts.map(\.title)
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return titles
  }

  func find(_ words: String) async throws -> [String] {
    var request = SearchRequest()
    request.text = words
    return try await SearchServiceClient(channel).search(request).hits.map(\.title)
  }

  func notices() async throws -> [String] {
    try await NotificationServiceClient(channel).listInbox(ListInboxRequest()).notices.map(\.text)
  }
}

/// Keeps passwords as they are: nobody's secret is at stake, and hashing takes its time.
private struct PlainPasswords: PasswordWork {
  func hash(_ password: String) async throws -> String { "$argon2id$" + password }
  func verify(_ password: String, against hash: String) async throws -> Bool { hash == "$argon2id$" + password }
}

/// Keeps the letters that would go out.
final class Post: Outbound {
  private let sent = Locked([OutboundLetter]())

  /// In the order in which they went.
  var letters: [OutboundLetter] { sent.withLock { $0 } }

  func accepts(_ address: String) -> Bool { true }

  func send(_ letter: OutboundLetter) async -> SendOutcome {
    sent.withLock { $0.append(letter) }
    return .accepted
  }

  func close() async {}
}

/// Puzzles that are solved by saying what they are: what others cost is not at stake here.
struct Riddles: ChallengeHook {
  func issue(for subject: ChallengeSubject, effort: Int, expiresAt: Instant) -> IssuedChallenge {
    IssuedChallenge(algorithm: "riddle", token: subject.method, zeroBits: 0, expiresAt: expiresAt)
  }

  func check(_ answer: String, for subject: ChallengeSubject, now: Instant) -> SolvedChallenge? {
    guard answer == subject.method else { return nil }
    return SolvedChallenge(id: Array(answer.utf8), expiresAt: now + .seconds(60))
  }
}
