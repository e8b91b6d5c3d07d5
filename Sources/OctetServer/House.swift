import Admin
import Audit
import Base
import Blobs
import Chat
import Couriers
import Cryptography
import DomainKit
import Identity
import Jobs
import Media
import NATS
import Notify
import Rides
import Search
import Social
import Storage
import StoragePostgreSQL
import StorageSQLite
import Streaming

/// Everything that lies below the RPC core: the database, what runs on it, and the domains.
struct House: Sendable {
  /// Hashing passwords takes much memory each (`--password-cost`), so more at once would not be faster, only larger.
  private static let passwordThreads = 2
  private static let waitingPasswords = 256

  let catalog: DomainCatalog
  let database: any Database
  let node: NodeRegistry
  let bus: NATSBus?
  let hub: TopicHub
  let timers: Timers
  private let jobs: Jobs
  private let sweeper: Sweeper
  private let collector: BlobCollector
  let kit: Kit
  let authority: IdentityAuthority
  let identity: IdentityDomain
  let rides: RidesDomain
  let admin: AdminDomain
  /// All of them, in the order in which they are started.
  let domains: [any Domain]
  /// Only where the benchmark is served.
  let transactions: TransactionService?
  private let passwordPool: BlockingPool
  /// How often other nodes' changes of sessions and roles are looked for: half of the second within which they are to be
  /// known, as reading them takes time too. So long a session that was ended on one node can still read on another; what
  /// it writes is checked against the rows.
  private static let catchUpInterval = Duration.milliseconds(500)
  private let catchUp = BackgroundLoop()
  let failures = BackgroundFailures()

  /// Where the database is in a data directory.
  static func databasePath(_ data: String) -> String { data + "/octet.db" }

  /// Opens the data directory and the database, brings the schema up to date, and loads what the domains keep in
  /// memory. Starts nothing.
  init(
    _ configuration: Configuration, catalog: DomainCatalog, clock: any WallClock, log: Log
  ) async throws(StartFailure) {
    self.catalog = catalog
    let random = SystemRandomSource()
    let data = configuration.data
    let isShared = configuration.database != nil
    database = try await Self.open(configuration, catalog, clock)
    var blobs: BlobLibrary?
    var joined: NodeRegistry?
    do {
      _ = try DiskFolder.make(data)
      let keys = try KeyStore.open(folder: data)
      try await Self.agree(on: keys, database)
      let edge = EdgeDatabase(database)
      let library = try await Self.openBlobs(configuration, edge, clock, random)
      blobs = library
      node = try await NodeRegistry.join(database, clock: clock, random: random)
      joined = node
      bus = try Self.bus(configuration, log)
      hub = TopicHub(
        database: edge, clock: clock, key: keys.derived(for: "topic resume tokens 1"), history: node.history,
        bus: bus, isShared: isShared
      ) { [failures] error in
        failures.count(.topics)
        log.warning("topics_catch_up_failed", ["error": .text("\(error)")])
      }
      timers = Timers(database: database, clock: clock, random: random)
      jobs = Jobs(timers: timers)
      authority = try IdentityAuthority(database: edge, clock: clock, keys: keys)
      let others = OtherNodes(
        bus: bus, node: node.node, database: edge, clock: clock, random: random
      ) { [failures] what, error in
        failures.count(.catchUp)
        log.warning("catch_up_failed", ["what": .text(what), "error": .text("\(error)")])
      }
      kit = Kit(
        database: database, hub: hub, clock: clock,
        identifiers: IdentifierGenerator(clock: clock, node: node.node), random: random,
        keys: keys, authority: authority, log: log,
        others: isShared ? others : nil,
        blobs: library, audit: AuditTrail(clock: clock), roles: catalog.roles)
      passwordPool = BlockingPool(
        name: "passwords", threads: Self.passwordThreads, waiting: Self.waitingPasswords)
      let media = MediaDomain(
        kit: kit, timers: timers, workFolder: data + "/media-work", limits: configuration.limits.media)
      identity = try await IdentityDomain(
        kit: kit, timers: timers, authority: authority,
        passwords: PasswordHasher(pool: passwordPool, cost: configuration.passwordCost),
        files: media.files, challengeRate: configuration.challengeRate,
        limits: configuration.limits.identity)
      let notify = NotifyDomain(
        kit: kit, timers: timers, people: identity.people, contacts: identity.contacts,
        kinds: catalog.noticeKinds, outbound: try configuration.outbound.open(clock: clock, log: log),
        limits: configuration.limits.notify)
      identity.tell(by: notify.notices)
      let scorer = WordScorer()
      let social = SocialDomain(
        kit: kit, timers: timers, people: identity.people, notices: notify.notices, scorer: scorer,
        limits: configuration.limits.social)
      let chat = ChatDomain(
        kit: kit, people: identity.people, notices: notify.notices, scorer: scorer, reviews: social.reviews,
        files: media.files, jobs: jobs, limits: configuration.limits.chat)
      rides = RidesDomain(kit: kit, jobs: jobs, rooms: chat.rooms, notices: notify.notices)
      admin = AdminDomain(
        kit: kit, flags: catalog.flags, tables: catalog.tables, methods: try catalog.methodPaths(),
        regions: { [people = identity.people] in try people.preferences(of: $0, in: $1).region })
      kit.community.link(to: social.community, reads: social.community)
      kit.subjects.observe(social.observer)
      kit.subjects.observe(chat.observer)
      kit.subjects.observe(media.observer)
      let search = SearchDomain(kit: kit, timers: timers)
      kit.findables.link(to: search.findables)
      let parts = DomainParts(
        kit: kit, jobs: jobs, people: identity.people, contacts: identity.contacts, credentials: identity.credentials,
        challenges: identity.challenges, notices: notify.notices, letters: LetterPost(timers: timers, clock: clock),
        rooms: chat.rooms, links: social.links, scorer: scorer, reviewQueue: social.reviews, files: media.files,
        queue: admin.queue, flags: admin.flags, tables: admin.tables)
      let checked: [any Domain] =
        [identity, chat, notify, JobsDomain(kit: kit, timers: timers), admin, rides, social, media, search]
        + catalog.added.map { $0.make(parts) }
      domains = try checked + [AuditDomain(kit: kit, checked: checked)]
      notify.register(audiences: domains.flatMap { $0.audiences })
      notify.register(letters: domains.flatMap { $0.letters })
      search.register(kinds: domains.flatMap { $0.findables })
      for domain in domains {
        kit.subjects.register(domain.subjects)
        try jobs.register(domain.jobs, domain.schedules, of: type(of: domain).name, kit.timeZones)
        if let records = domain.personalRecords { kit.personalRecords.register(records) }
      }
      transactions =
        configuration.serves(Front.bench)
        ? try await TransactionService(database, clock: clock, random: random) : nil
      sweeper = Sweeper(
        database: database, leases: Leases(database: database, clock: clock, random: random),
        sweeps: [
          RequestRetention(clock: clock), DeadLetterRetention(clock: clock), LeaseSweep(clock: clock),
          StatisticsUpkeep(), SightNoteRetention(clock: clock),
          TopicSweep(
            domains.reduce(into: [:]) { $0.merge($1.topicRetention) { _, _ in preconditionFailure("a topic of two") } },
            clock: clock),
        ] + domains.flatMap { $0.sweeps })
      collector = BlobCollector(library, random: random) { [failures] error in
        failures.count(.blobCollection)
        log.warning("blob_collection_failed", ["error": .text("\(error)")])
      }
      try await authority.catchUp()
    } catch {
      await joined?.leave()
      await blobs?.close()
      await database.close()
      throw StartFailure(error, opening: data)
    }
  }

  /// The engine that the configuration names. Its errors name no URL, which may hold a password.
  /// - Parameter onlyIfUsed: whether a database that no server has used is refused.
  static func open(
    _ configuration: Configuration, _ catalog: DomainCatalog, _ clock: any WallClock, onlyIfUsed: Bool = false
  ) async throws(StartFailure) -> any Database {
    let wanted =
      NodeRegistry.migrations + TopicStore.migrations + BlobSchema.migrations + Sights.migrations + catalog.migrations
      + (configuration.serves(Front.bench) ? TransactionService.migrations : [])
    do {
      guard let url = configuration.database else {
        return try await SQLiteDatabase.open(
          path: databasePath(configuration.data), migrations: wanted, clock: clock, onlyIfUsed: onlyIfUsed)
      }
      return try await PostgreSQLDatabase.open(url: url, migrations: wanted, clock: clock, onlyIfUsed: onlyIfUsed)
    } catch {
      throw StartFailure(error, opening: configuration.database == nil ? configuration.data : "the database")
    }
  }

  /// What tells the other nodes of commits; nil if nothing does.
  private static func bus(_ configuration: Configuration, _ log: Log) throws(StartFailure) -> NATSBus? {
    guard let url = configuration.bus else { return nil }
    do {
      return try NATSBus(url: url, authorityFile: configuration.busAuthority) { news in
        switch news {
        case .reached: log.info("bus_reached")
        case .lost(let error): log.warning("bus_lost", ["error": .text("\(error)")])
        }
      }
    } catch {
      throw StartFailure(.usage, "bus: \(error)")
    }
  }

  /// The store of contents, which is this database's.
  private static func openBlobs(
    _ configuration: Configuration, _ database: any Database, _ clock: any WallClock, _ random: any RandomSource
  ) async throws -> BlobLibrary {
    do {
      let store = try await configuration.blobs.open(clock: clock, random: random)
      let library = BlobLibrary(store: store, database: database, clock: clock, random: random)
      do {
        try await library.claimStore(isShared: configuration.database != nil)
      } catch {
        await library.close()
        throw error
      }
      return library
    } catch let error as BlobError {
      throw StartFailure(.storage, "\(configuration.blobs.description): \(error)")
    }
  }

  /// Makes sure that this process has the keys of the installation.
  private static func agree(on keys: ServerKeys, _ database: any Database) async throws {
    guard try await NodeRegistry.agree(on: "root key", keys.fingerprint, database) else {
      throw StartFailure(
        .storage, "\(KeyStore.fileName) in --data is not that of the database's other nodes; copy theirs")
    }
  }

  /// Begins the work that nobody calls for: matching, timers, sweeps.
  /// - Parameter lostNode: is called if another process has taken this node's number over, or the database was restored;
  ///   this one must end.
  func start(lostNode: @escaping @Sendable () -> Void) async throws {
    node.start(lost: lostNode)
    for domain in domains { try await domain.start() }
    try await jobs.start()
    timers.start { [kit, failures] error in
      failures.count(.timers)
      kit.log.warning("timers_failed", ["error": .text("\(error)")])
    }
    sweeper.start { [kit, failures] sweep, error in
      failures.count(.sweeps)
      kit.log.warning("sweep_failed", ["sweep": .text(sweep), "error": .text("\(error)")])
    }
    collector.start()
    guard let others = kit.others else { return }
    catchUp.start { [catchUp, authority, kit] in
      var sights = SightCatchUp(kit)
      while !catchUp.isStopping {
        await others.look(for: "sessions") { try await authority.catchUp() }
        await others.look(for: "what was hidden") { try await sights.look() }
        await catchUp.pause(atMost: Self.catchUpInterval)
      }
    }
  }

  /// Ends the background work and closes the database. Calls must have ended.
  func stop() async {
    await catchUp.stop()
    // What timers do, they do with what the domains hold open.
    await timers.stop()
    for domain in domains.reversed() { await domain.stop() }
    await sweeper.stop()
    await collector.stop()
    hub.close()
    await close()
  }

  /// Closes what `init` opened.
  func close() async {
    passwordPool.shutDown()
    await node.leave()
    await kit.blobs.close()
    await database.close()
  }
}
