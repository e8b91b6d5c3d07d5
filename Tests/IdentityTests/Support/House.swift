import Base
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
  let authority: IdentityAuthority
  let identity: IdentityDomain
  private let transport: InProcessTransport

  static func open(limits: RateLimits = RateLimits(expensive: Rate(perSecond: 1000, burst: 1000))) async throws -> House
  {
    let clock = ManualClock()
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + IdentityDomain.migrations, clock: clock)
    return try await House(clock: clock, database: database, limits: limits)
  }

  private init(clock: ManualClock, database: any Database, limits: RateLimits) async throws {
    self.clock = clock
    self.database = database
    let root = SecretKey.random()
    let keys = try ServerKeys(root: root)
    authority = try IdentityAuthority(database: database, clock: clock, keys: keys)
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: SeededRandomSource(seed: 1), keys: keys,
      authority: authority, log: Log(level: .error))
    identity = try await IdentityDomain(kit: kit, authority: authority, passwords: passwords, roles: Self.roles)
    kit.subjects.register(identity.subjects)
    var registry = ServiceRegistry()
    identity.register(in: &registry)
    let access = AccessInterceptor(authority: authority, keys: keys, clock: clock, limits: limits)
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  func close() async {
    await database.close()
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
