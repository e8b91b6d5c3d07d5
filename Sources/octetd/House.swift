import Base
import Chat
import Cryptography
import DomainKit
import Identity
import Rides
import Storage
import StorageSQLite
import Streaming

/// Everything that lies below the RPC core: the database, what runs on it, and the domains.
struct House: Sendable {
  /// Hashing passwords takes 64 MiB each, so more at once would not be faster, only larger.
  private static let passwordThreads = 2
  private static let waitingPasswords = 256

  let database: SQLiteDatabase
  let hub: TopicHub
  let timers: Timers
  private let sweeper: Sweeper
  let kit: Kit
  let authority: IdentityAuthority
  let identity: IdentityDomain
  let rides: RidesDomain
  private let passwordPool: BlockingPool

  /// Where the database is in a data directory.
  static func databasePath(_ data: String) -> String { data + "/octet.db" }

  /// Opens the data directory, brings the schema up to date and loads what the domains keep in memory. Starts nothing.
  init(data: String, log: Log) async throws(StartFailure) {
    let clock = SystemClock()
    let random = SystemRandomSource()
    do {
      database = try await SQLiteDatabase.open(
        path: Self.databasePath(data),
        migrations: TopicStore.migrations + IdentityDomain.migrations + ChatRooms.migrations + RidesDomain.migrations,
        clock: clock)
    } catch {
      throw StartFailure(error, opening: data)
    }
    do {
      let keys = try KeyStore.open(folder: data)
      let edge = EdgeDatabase(database)
      hub = TopicHub(database: edge, clock: clock, key: keys.derived(for: "topic resume tokens 1"))
      timers = Timers(database: database, clock: clock, random: random)
      authority = try IdentityAuthority(database: edge, clock: clock, keys: keys)
      kit = Kit(
        database: database, hub: hub, clock: clock, identifiers: IdentifierGenerator(clock: clock), random: random,
        keys: keys, authority: authority, log: log)
      passwordPool = BlockingPool(
        name: "passwords", threads: Self.passwordThreads, waiting: Self.waitingPasswords)
      identity = try await IdentityDomain(
        kit: kit, authority: authority, passwords: PasswordHasher(pool: passwordPool), roles: RidesDomain.roles)
      rides = RidesDomain(kit: kit, timers: timers, rooms: ChatRooms(kit: kit, people: identity.people))
      sweeper = Sweeper(
        database: database, leases: Leases(database: database, clock: clock, random: random),
        sweeps: [RequestRetention(clock: clock), TopicSweep(rides.topicRetention, clock: clock)])
      try await authority.catchUp()
    } catch {
      await database.close()
      throw StartFailure(error, opening: data)
    }
  }

  /// Begins the work that nobody calls for: matching, timers, sweeps.
  func start() async throws {
    try await rides.start()
    timers.start()
    sweeper.start()
  }

  /// Ends the background work and closes the database. Calls must have ended.
  func stop() async {
    await rides.stop()
    await timers.stop()
    await sweeper.stop()
    hub.close()
    await close()
  }

  /// Closes what `init` opened.
  func close() async {
    passwordPool.shutDown()
    await database.close()
  }
}
