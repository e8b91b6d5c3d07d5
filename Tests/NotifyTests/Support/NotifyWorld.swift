import Base
import Couriers
import Cryptography
import DomainKit
import Foundation
import NotifyAPI
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Streaming

@testable import Notify

/// A whole server of notices in one process: a database, the RPC core, a spool, and a clock that the test moves.
final class NotifyWorld: Sendable {
  /// Goes by push and mail.
  static let order = NoticeKind(
    "shop.order_sent", ways: [.push, .mail], values: ["what": .text],
    words: [
      "en": NoticeWords("On its way", "We sent {what}."), "de": NoticeWords("Unterwegs", "{what} ist unterwegs."),
    ])
  /// Goes by all ways, always.
  static let alarm = NoticeKind(
    "account.new_device", .security, ways: [.push, .mail, .sms], words: ["en": NoticeWords("A new device")])
  /// Names somebody.
  static let followed = NoticeKind(
    "test.followed", ways: [.mail], values: ["who": .name],
    words: ["en": NoticeWords("{who} follows you", "Say hello to {who}.")])
  /// Asks people to come, who may have no account.
  static let invited = NoticeKind(
    "test.invited", ways: [.mail], isInvitation: true, values: ["who": .name],
    words: ["en": NoticeWords("{who} invites you"), "de": NoticeWords("{who} lädt dich ein")])
  /// Is about somebody's safety.
  static let danger = NoticeKind(
    "test.danger", .safety, ways: [.sms], values: ["who": .name], words: ["en": NoticeWords("{who} needs you")])
  /// Stays in the inbox unless the user wants more.
  static let quiet = NoticeKind("shop.tip", ways: [], words: ["en": NoticeWords("A tip")])

  let clock: ManualClock
  let database: any Database
  let people = TestPeople()
  let identifiers: IdentifierGenerator
  let kit: Kit
  let timers: Timers
  let notify: NotifyDomain
  let spool: URL
  private let transport: InProcessTransport

  /// - Parameter outbound: in place of the spool, for all ways.
  static func open(
    limits: NotifyLimits = NotifyLimits(), topicLimits: TopicLimits = TopicLimits(),
    outbound: (any Outbound)? = nil, start: Instant = Instant(seconds: 1_767_225_600)
  ) async throws -> NotifyWorld {
    let clock = ManualClock(start)
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + NotifyDomain.migrations, clock: clock)
    return try NotifyWorld(
      clock: clock, database: database, limits: limits, topicLimits: topicLimits, outbound: outbound)
  }

  private init(
    clock: ManualClock, database: any Database, limits: NotifyLimits, topicLimits: TopicLimits,
    outbound: (any Outbound)?
  ) throws {
    self.clock = clock
    self.database = database
    let root = SecretKey.random()
    let random = SeededRandomSource(seed: 1)
    identifiers = IdentifierGenerator(clock: clock)
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root, limits: topicLimits), clock: clock,
      identifiers: identifiers, random: random, keys: try ServerKeys(root: root), authority: people,
      log: Log(level: .error), beatInterval: nil)
    timers = Timers(database: database, clock: clock, random: random)
    spool = FileManager.default.temporaryDirectory.appending(path: "octet-spool-\(UUID().uuidString)")
    let way = try outbound ?? SpoolFolder(folder: spool.path)
    notify = NotifyDomain(
      kit: kit, timers: timers, people: people, contacts: people,
      kinds: NotifyDomain.noticeKinds + [Self.order, Self.alarm, Self.quiet, Self.followed, Self.invited, Self.danger],
      outbound: OutboundWays(push: way, mail: way, sms: way), limits: limits)
    notify.register(audiences: notify.audiences + [people])
    var registry = ServiceRegistry()
    notify.register(in: &registry)
    let access = AccessInterceptor(
      kit: kit, limits: RateLimits(standard: Rate(perSecond: 9999, burst: 9999)))
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  func close() async {
    await notify.stop()
    await database.close()
    try? FileManager.default.removeItem(at: spool)
  }

  /// A new user, with an e-mail address and a phone number unless told otherwise.
  func user(_ contacts: [ContactKind: String] = [.email: "ada@example.org", .phone: "+358401234567"]) -> Identifier {
    let user = identifiers.next()
    people.add(user, contacts)
    return user
  }

  /// A client of a user; of a stranger for nil.
  func client(_ user: Identifier?) -> NotificationServiceClient {
    let keys = kit.keys
    let clock = clock
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      if let user {
        let token = AccessToken(user: user, session: user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
        try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      }
      return metadata
    }
    return NotificationServiceClient(
      RPCChannel(transport: transport, authority: "test", interceptors: [credentials, Patience()], clock: clock))
  }

  /// A client of somebody with the role `notify.ops`.
  func staff() -> NotificationServiceClient {
    let user = user([:])
    people.give("notify.ops", to: user)
    return client(user)
  }

  func tell(_ user: Identifier, _ kind: NoticeKind = order, key: String, _ what: String = "a book") async throws {
    let notices = notify.notices
    let values: [String: NoticeValue] = kind.values.isEmpty ? [:] : ["what": .text(what)]
    try await database.write { writer in
      try notices.notify(user, DomainKit.Notice(kind, key: key, about: SubjectID("order", user), values), in: writer)
    }
  }

  /// Moves the clock, then sends what has become due.
  func advance(by duration: Duration) async throws {
    clock.advance(by: duration)
    try await timers.runDue()
  }

  /// The letters in the spool, by the names of their files.
  func letters() throws -> [String: OutboundLetter] {
    let names = try FileManager.default.contentsOfDirectory(atPath: spool.path)
    return Dictionary(
      uniqueKeysWithValues: try names.map { name in
        (name, try JSONDecoder().decode(OutboundLetter.self, from: Data(contentsOf: spool.appending(path: name))))
      })
  }

  func count(_ sql: String) async throws -> Int {
    try await database.read { reader in try reader.first(sql) { $0[0] } ?? 0 }
  }

  func deliveries(of user: Identifier) async throws -> [Delivery] {
    var request = ListDeliveriesRequest()
    request.userID = user.text(kind: "user")
    return try await staff().listDeliveries(request).deliveries
  }

  func settings(of user: Identifier) async throws -> ChannelSettings {
    try await client(user).getChannels(GetChannelsRequest())
  }

  @discardableResult
  func registerPush(
    _ user: Identifier, _ address: String? = nil, named name: String = ""
  ) async throws -> PushDevice {
    var request = RegisterPushRequest()
    request.requestID = newRequestID()
    request.address = address ?? "https://push.example/\(user.rawValue)"
    request.name = name
    return try await client(user).registerPush(request)
  }

  @discardableResult
  func setQuietHours(_ user: Identifier, from start: Int32, to end: Int32, zone: String) async throws -> ChannelSettings
  {
    people.move(user, to: zone)
    var request = SetChannelsRequest()
    request.requestID = newRequestID()
    request.etag = try await settings(of: user).etag
    var hours = QuietHours()
    hours.startMinute = start
    hours.endMinute = end
    request.quietHours = hours
    return try await client(user).setChannels(request)
  }

  func choose(_ user: Identifier, _ kind: NoticeKind, _ channels: [Channel]) async throws {
    var request = SetChannelsRequest()
    request.requestID = newRequestID()
    request.etag = try await settings(of: user).etag
    var choice = KindChannels()
    choice.kind = kind.name
    choice.channels = channels
    request.kinds = [choice]
    _ = try await client(user).setChannels(request)
  }

  func markRead(_ user: Identifier, _ number: Int64) async throws -> MarkReadResponse {
    var request = MarkReadRequest()
    request.requestID = newRequestID()
    request.number = number
    return try await client(user).markRead(request)
  }

  func inbox(_ user: Identifier, pageSize: Int32 = 0, pageToken: String = "") async throws -> ListInboxResponse {
    var request = ListInboxRequest()
    request.pageSize = pageSize
    request.pageToken = pageToken
    return try await client(user).listInbox(request)
  }
}
