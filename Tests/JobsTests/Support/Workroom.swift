import Base
import Cryptography
import DomainKit
import JobsAPI
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Streaming

@testable import Jobs

/// A server whose only domain is this one, with timers of the tests' own. One member of staff uses it.
final class Workroom: Sendable {
  let clock = ManualClock()
  let database: any Database
  let timers: Timers
  let doors = OpenDoors()
  let jobs: JobsDomain
  private let kit: Kit
  private let transport: InProcessTransport

  static let staff = Identifier(rawValue: 1)
  static let stranger = Identifier(rawValue: 2)

  /// - Parameter longestPause: of a watch; by default it looks only at what this node tells.
  init(longestPause: Duration = .seconds(86_400)) async throws {
    database = try await EngineUnderTest.openTemporary(migrations: TopicStore.migrations, clock: clock)
    let root = SecretKey.random()
    let random = SeededRandomSource(seed: 1)
    timers = Timers(database: database, clock: clock, random: random)
    kit = Kit(
      database: database, hub: TopicHub(database: database, clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock), random: random, keys: try ServerKeys(root: root),
      authority: doors, log: Log(level: .error), beatInterval: nil)
    var registry = ServiceRegistry()
    var pauses = WatchPauses()
    (pauses.shortest, pauses.longest) = (.zero, longestPause)
    jobs = JobsDomain(kit: kit, timers: timers, pauses: pauses)
    jobs.register(in: &registry)
    let access = AccessInterceptor(kit: kit)
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  func client(_ user: Identifier = Workroom.staff) -> JobServiceClient {
    let (keys, clock) = (kit.keys, clock)
    let credentials = CallCredentials { _ in
      let token = AccessToken(user: user, session: user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
      var metadata = Metadata()
      try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      return metadata
    }
    return JobServiceClient(
      RPCChannel(transport: transport, authority: "in-process", interceptors: [credentials, Patience()], clock: clock))
  }

  func set(_ kind: String, _ keys: String..., after wait: Duration = .zero) async throws {
    let (timers, due) = (timers, clock.now() + wait)
    try await database.write { writer in
      for key in keys { try timers.set(kind, key: key, due: due, in: writer) }
    }
  }
}

/// Lets everybody in until their session ends; staff has `ops`.
final class OpenDoors: Authority {
  private let ended = Locked<Set<Identifier>>([])

  func end(_ session: Identifier) { _ = ended.withLock { $0.insert(session) } }

  func hasEnded(_ session: Identifier) -> Bool { ended.withLock { $0.contains(session) } }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { roles(user) }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { roles(user) }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    Standing(provedAt: Instant(seconds: 0))
  }

  private func roles(_ user: Identifier) -> RoleSet {
    user == Workroom.staff ? RoleSet([RoleGrant(role: "ops")]) : RoleSet()
  }
}
