import Admin
import Base
import Cryptography
import DomainKit
import Identity
import IdentityAPI
import Notify
import NotifyAPI
import PinboardAPI
import PostgreSQLServer
import RPC
import Refusals
import SearchAPI
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
  private let admin: AdminDomain
  private let identity: IdentityDomain
  private let notify: NotifyDomain
  private let transport: InProcessTransport

  init() async throws {
    database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + IdentityDomain.migrations + NotifyDomain.migrations
        + AdminDomain.migrations + SearchDomain.migrations + PinboardDomain.migrations, clock: clock)
    let (root, random) = (SecretKey.random(), SeededRandomSource(seed: 1))
    let keys = try ServerKeys(root: root)
    let authority = try IdentityAuthority(database: database, clock: clock, keys: keys)
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: random, keys: keys, authority: authority,
      log: Log(level: .error), roles: RoleCatalog(PinboardDomain.roles), beatInterval: nil)
    timers = Timers(database: database, clock: clock, random: random)
    jobs = Jobs(timers: timers)
    identity = try await IdentityDomain(kit: kit, timers: timers, authority: authority, passwords: PlainPasswords())
    let outbound = NoOutbound()
    notify = NotifyDomain(
      kit: kit, timers: timers, people: identity.people, contacts: identity.contacts,
      kinds: NotifyDomain.noticeKinds + PinboardDomain.noticeKinds,
      outbound: OutboundWays(push: outbound, mail: outbound, sms: outbound))
    admin = AdminDomain(kit: kit, flags: [], tables: PinboardDomain.tables, methods: []) { _, _ in nil }
    pinboard = PinboardDomain(
      kit: kit, jobs: jobs, people: identity.people, notices: notify.notices, queue: admin.queue, tables: admin.tables)
    search = SearchDomain(kit: kit, timers: timers)
    kit.findables.link(to: search.findables)
    search.register(kinds: pinboard.findables)
    kit.subjects.register(pinboard.subjects)
    try jobs.register(pinboard.jobs, of: PinboardDomain.name, kit.timeZones)
    var registry = ServiceRegistry()
    for domain in [identity, notify, search, pinboard] as [any Domain] { domain.register(in: &registry) }
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
  func user(_ handle: String) async throws -> Passer {
    let id = try await identity.ensureUser(handle: handle, displayName: handle, password: "correct horse", roles: [])
    var request = LoginRequest()
    (request.requestID, request.loginName, request.password) = (newRequestID(), handle, "correct horse")
    let login = try await SessionServiceClient(channel(nil)).login(request)
    return Passer(id: id, channel: channel(login.tokens?.accessToken))
  }

  private func channel(_ token: String?) -> RPCChannel {
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      if let token { try metadata.add("authorization", "Bearer \(token)") }
      return metadata
    }
    return RPCChannel(transport: transport, authority: "in-process", interceptors: [credentials], clock: clock)
  }
}

/// Somebody who comes by the board.
struct Passer: Sendable {
  let id: Identifier
  let channel: RPCChannel
  var board: PinboardServiceClient { PinboardServiceClient(channel) }

  func pin(_ title: String, in section: Section? = nil, requestID: String = newRequestID()) async throws -> Advert {
    var request = PinAdvertRequest()
    (request.requestID, request.title, request.sectionID) = (requestID, title, section?.id ?? "")
    return try await board.pinAdvert(request)
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

/// Nothing leaves the house.
private struct NoOutbound: Outbound {
  func accepts(_ address: String) -> Bool { true }
  func send(_ letter: OutboundLetter) async -> SendOutcome { .accepted }
  func close() async {}
}
