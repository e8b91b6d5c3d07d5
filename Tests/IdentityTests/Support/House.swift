import Base
import Blobs
import Cryptography
import DomainKit
import Foundation
import Identity
import IdentityAPI
import PostgreSQLServer
import RPC
import Storage
import Streaming

/// A whole server in one process: a database, the RPC core with its interceptors, the identity domain.
final class House: Sendable {
  static let password = "correct horse battery"
  static let roles = [
    RoleDefinition("shop.ops"), RoleDefinition("shop.owner", resourceKind: "store", keepsLast: true),
    RoleDefinition("shop.clerk", resourceKind: "store"),
  ]

  let clock: ManualClock
  let database: any Database
  let passwords = CountingPasswords()
  let kit: Kit
  let timers: Timers
  let authority: IdentityAuthority
  let identity: IdentityDomain
  let files: TestFiles
  private let transport: InProcessTransport
  private let folder: String

  /// - Parameters:
  ///   - migrations: of other domains that a test adds.
  ///   - audit: the trail; nil for none.
  static func open(
    limits: RateLimits = RateLimits(expensive: Rate(perSecond: 1000, burst: 1000)), migrations: [Migration] = [],
    audit: (@Sendable (ManualClock) -> any Audit)? = nil
  ) async throws -> House {
    let clock = ManualClock()
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + BlobSchema.migrations + IdentityDomain.migrations + migrations, clock: clock)
    return try await House(clock: clock, database: database, limits: limits, audit: audit?(clock))
  }

  private init(
    clock: ManualClock, database: any Database, limits: RateLimits, audit: (any Audit)?
  ) async throws {
    self.clock = clock
    self.database = database
    let root = SecretKey.random()
    let keys = try ServerKeys(root: root)
    authority = try IdentityAuthority(database: database, clock: clock, keys: keys)
    folder = FileManager.default.temporaryDirectory.appending(path: "octet-house-\(UUID().uuidString)").path
    let (store, random) = (try await FolderBlobStore.open(path: folder), SeededRandomSource(seed: 1))
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: random, keys: keys,
      authority: authority, log: Log(level: .error),
      blobs: BlobLibrary(store: store, database: database, clock: clock, random: random), audit: audit)
    files = TestFiles(identifiers: kit.identifiers)
    timers = Timers(database: database, clock: clock, random: random)
    identity = try await IdentityDomain(
      kit: kit, timers: timers, authority: authority, passwords: passwords, roles: Self.roles, files: files)
    if let records = identity.personalRecords { kit.personalRecords.register(records) }
    kit.subjects.register(identity.subjects)
    var registry = ServiceRegistry()
    identity.register(in: &registry)
    let access = AccessInterceptor(authority: authority, keys: keys, clock: clock, limits: limits)
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  func close() async {
    await kit.blobs.close()
    await database.close()
    try? FileManager.default.removeItem(atPath: folder)
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
  func client(_ token: String? = nil) -> Client {
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      if let token { try metadata.add("authorization", "Bearer \(token)") }
      return metadata
    }
    return Client(
      channel: RPCChannel(transport: transport, authority: "in-process", interceptors: [credentials], clock: clock))
  }

  /// Every byte that is on disk.
  func bytesOnDisk() async throws -> Data {
    try await EngineUnderTest.files(of: database).reduce(into: Data()) { bytes, path in
      bytes += (try? Data(contentsOf: URL(filePath: path))) ?? Data()
    }
  }

  func execute(_ sql: String, _ arguments: [SQLValue]) async throws {
    _ = try await database.write { try $0.execute(sql, arguments) }
  }

  func count(_ sql: String) async throws -> Int {
    try await database.read { reader in try reader.first(sql) { $0[0] } ?? 0 }
  }
}

/// A new request_id.
func newRequestID() -> String { UUID().uuidString.lowercased() }
