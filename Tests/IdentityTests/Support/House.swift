import Base
import Blobs
import Couriers
import Cryptography
import DomainKit
import FilesInMemory
import Foundation
import IdentityAPI
import Notify
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Streaming

@testable import Identity

/// A whole server in one process: a database, the RPC core with its interceptors, the identity domain, and notify with a
/// spool that codes go out to.
final class House: Sendable {
  static let password = "correct horse battery"
  /// Little work, as a test is slow enough.
  static let challengeBits = 4
  static let roles: [RoleDefinition] = [
    .staff("shop.ops"), .given("shop.courier"), .selfService("shop.seller", from: .contact),
    .resource("shop.owner", of: "store", givenBy: ["shop.owner"], keepsLast: true),
    .resource("shop.clerk", of: "store", givenBy: ["shop.owner"]),
    .resource("shop.cashier", of: "till", givenBy: ["shop.owner", "shop.clerk"]),
  ]

  let clock: ManualClock
  let database: any Database
  let passwords = CountingPasswords()
  let kit: Kit
  let timers: Timers
  let authority: IdentityAuthority
  let identity: IdentityDomain
  let files: FilesInMemory
  let notify: NotifyDomain
  let spool: URL
  /// What ran in the kit's transactions.
  let statements: RecordingDatabase
  private let transport: InProcessTransport
  private let folder: String
  /// Where the engine's log stood before the first call.
  private let firstLogFile: String?

  /// - Parameters:
  ///   - migrations: of other domains that a test adds.
  ///   - kinds: of notices that a test tells beside codes.
  ///   - audit: the trail; nil for none.
  ///   - challengeRate: how often an address may register and log in without a challenge.
  ///   - register: adds methods of the test's own.
  static func open(
    limits: RateLimits = RateLimits(expensive: Rate(perSecond: 1000, burst: 1000)), migrations: [Migration] = [],
    kinds: [NoticeKind] = [], audit: (@Sendable (ManualClock) -> any Audit)? = nil,
    challengeRate: Rate = Rate(perSecond: 1000, burst: 1000),
    adding register: (inout ServiceRegistry, Kit) -> Void = { _, _ in }
  ) async throws -> House {
    let clock = ManualClock()
    let own = IdentityDomain.migrations + NotifyDomain.migrations
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + BlobSchema.migrations + own + migrations, clock: clock)
    return try await House(
      clock: clock, database: database, limits: limits, kinds: kinds, audit: audit?(clock),
      challengeRate: challengeRate, adding: register)
  }

  private init(
    clock: ManualClock, database: any Database, limits: RateLimits, kinds: [NoticeKind], audit: (any Audit)?,
    challengeRate: Rate, adding register: (inout ServiceRegistry, Kit) -> Void
  ) async throws {
    self.clock = clock
    self.database = database
    firstLogFile = try await EngineUnderTest.logFile(of: database)
    statements = RecordingDatabase(database)
    let root = SecretKey.random()
    let keys = try ServerKeys(root: root)
    authority = try IdentityAuthority(database: database, clock: clock, keys: keys)
    folder = FileManager.default.temporaryDirectory.appending(path: "octet-house-\(UUID().uuidString)").path
    let (store, random) = (try await FolderBlobStore.open(path: folder), SeededRandomSource(seed: 1))
    kit = Kit(
      database: statements, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: random, keys: keys,
      authority: authority, log: Log(level: .error),
      blobs: BlobLibrary(store: store, database: database, clock: clock, random: random), audit: audit,
      roles: RoleCatalog(Self.roles + NotifyDomain.roles), beatInterval: nil)
    files = FilesInMemory(identifiers: kit.identifiers)
    timers = Timers(database: database, clock: clock, random: random)
    identity = try await IdentityDomain(
      kit: kit, timers: timers, authority: authority, passwords: passwords, files: files,
      challenge: ProofOfWork(keys: keys, random: random, easiest: Self.challengeBits), challengeRate: challengeRate)
    if let records = identity.personalRecords { kit.personalRecords.register(records) }
    spool = URL(filePath: folder + "-spool")
    let way = try SpoolFolder(folder: spool.path)
    notify = NotifyDomain(
      kit: kit, timers: timers, people: identity.people, contacts: identity.contacts,
      kinds: IdentityDomain.noticeKinds + NotifyDomain.noticeKinds + kinds,
      outbound: OutboundWays(push: way, mail: way, sms: way))
    notify.register(audiences: notify.audiences + identity.audiences)
    notify.register(letters: identity.letters)
    identity.tell(by: notify.notices)
    kit.subjects.register(identity.subjects)
    kit.subjects.register([Till()])
    var registry = ServiceRegistry()
    identity.register(in: &registry)
    notify.register(in: &registry)
    register(&registry, kit)
    let access = AccessInterceptor(kit: kit, limits: limits)
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  func close() async {
    await notify.stop()
    await kit.blobs.close()
    await database.close()
    for path in [folder, spool.path] { try? FileManager.default.removeItem(atPath: path) }
  }

  /// Moves the clock, then does what has become due.
  func advance(by duration: Duration) async throws {
    clock.advance(by: duration)
    try await timers.runDue()
  }

  /// Registers somebody and signs in.
  func signIn(_ handle: String) async throws -> (client: Client, login: LoginResponse) {
    try await client().register(handle)
    let login = try await client().login(handle)
    return (client(login.accessToken), login)
  }

  /// A client with a token, or without credentials.
  /// - Parameter solution: of a challenge.
  func client(_ token: String? = nil, solution: String? = nil) -> Client {
    Client(channel: channel(token, solution: solution))
  }

  func channel(_ token: String?, solution: String? = nil) -> RPCChannel {
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      if let token { try metadata.add("authorization", "Bearer \(token)") }
      if let solution { try metadata.add("octet-challenge", solution) }
      return metadata
    }
    return RPCChannel(
      transport: transport, authority: "in-process", interceptors: [credentials, Patience()], clock: clock)
  }

  /// Every byte that is on disk: of the database, and of what was logged since it was opened.
  func bytesOnDisk() async throws -> Data {
    func bytes(_ paths: [String]) -> Data {
      paths.reduce(into: Data()) { $0 += (try? Data(contentsOf: URL(filePath: $1))) ?? Data() }
    }
    // A part of the log may go at any time, as the database's files hold by then what was in it. So they come last.
    let log = bytes(try await EngineUnderTest.logFiles(of: database, from: firstLogFile))
    try await EngineUnderTest.flush()
    return log + bytes(try await EngineUnderTest.files(of: database))
  }

  func execute(_ sql: String, _ arguments: [SQLValue]) async throws {
    _ = try await database.write { try $0.execute(sql, arguments) }
  }

  func count(_ sql: String) async throws -> Int {
    try await database.read { reader in try reader.first(sql) { $0[0] } ?? 0 }
  }
}

/// A till stands in the store of the same number.
private struct Till: SubjectKind {
  let prefix = "till"

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    SubjectFacts(owner: nil, parent: SubjectID("store", id))
  }
}
