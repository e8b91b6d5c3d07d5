import AdminAPI
import Base
public import DomainKit
public import RPC
public import Storage
public import Streaming

/// What staff sets while the server runs: flags, the switches of methods, tables of dated rows. The arithmetic of planned
/// loads. And admission queues, which have no service of their own: other domains have.
///
///     let admin = AdminDomain(
///       kit: kit, flags: kinds.flatMap { $0.flags }, tables: kinds.flatMap { $0.tables }, methods: paths,
///       regions: { try people.preferences(of: $0, in: $1).region })
///     let access = AccessInterceptor(…, switches: admin.switches)
public struct AdminDomain: Domain {
  public static let name = "admin"
  public static var migrations: [Migration] { AdminSchema.migrations + QueueSchema.migrations }
  public static var tables: [TableDefinition] { [NodeRates.table] }
  public static var descriptors: [[UInt8]] { [AdminAPIDescriptors.serializedFileDescriptorSet] }

  /// How long a change on another node is not seen here at most, but for the time that reading takes: half of what is
  /// promised.
  static let catchUpInterval = Duration.milliseconds(500)
  /// For those who watch flags and were away.
  private static let eventRetention = TopicRetention(age: .seconds(7 * 86_400), count: 10_000)

  let board: FlagBoard
  private let kit: Kit
  private let handlers: AdminHandlers
  private let loop = BackgroundLoop()
  let admissions: AdmissionQueue
  let runner: QueueRunner

  /// - Parameters:
  ///   - flags: those that all domains declare.
  ///   - tables: those that all domains declare, this one's among them.
  ///   - methods: all methods that can be switched off, as `octet.jobs.v1.JobService/ListJobs`.
  ///   - regions: what rules of methods' switches that name countries ask. Other flags are told the region by who asks.
  public init(
    kit: Kit, flags: [FlagDeclaration], tables: [TableDefinition], methods: [String], regions: @escaping UserRegions
  ) {
    self.init(kit: kit, flags: flags, tables: tables, methods: methods, regions: regions, limits: QueueLimits())
  }

  init(
    kit: Kit, flags: [FlagDeclaration], tables: [TableDefinition], methods: [String], regions: @escaping UserRegions,
    limits: QueueLimits
  ) {
    self.kit = kit
    admissions = AdmissionQueue(kit: kit, limits: limits)
    runner = QueueRunner(admissions)
    board = FlagBoard(database: kit.database, regions: regions)
    handlers = AdminHandlers(
      kit: kit, board: board, flags: FlagCatalog(flags: flags, methods: methods),
      tables: Dictionary(tables.map { ($0.name, $0) }) { a, _ in preconditionFailure("two tables are called \(a.name)")
      })
  }

  /// What other domains ask for their flags.
  public var flags: any Flags { board }

  /// For the interceptor that lets calls in.
  public var switches: any MethodSwitches { board }

  /// What other domains look things up in.
  public var tables: any Tables { TableBook(kit: kit) }

  /// What other domains let people wait with.
  public var queue: any Queue { admissions }

  public var sweeps: [any Sweep] { [QueueSweep(limits: admissions.limits, clock: kit.clock)] }

  public var personalRecords: (any PersonalRecords)? { QueueRecords(queue: admissions) }

  public var topicRetention: [String: TopicRetention] { [String(AdminHandlers.flagTopic.kind): Self.eventRetention] }

  public func register(in registry: inout ServiceRegistry) { handlers.register(in: &registry) }

  /// Checks the invariants of the domain on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    try await kit.checkOnSnapshot { [admissions] reader in
      try AdminAudit(reader: reader).reports() + QueueAudit(queue: admissions, reader: reader).reports()
    }
  }

  /// Loads the flags, and follows what other nodes put.
  public func start() async throws {
    try await board.catchUp()
    runner.start()
    guard let others = kit.others else { return }
    loop.start { [loop, board] in
      while !loop.isStopping {
        await loop.pause(atMost: Self.catchUpInterval)
        await others.look(for: "flags") { try await board.catchUp() }
      }
    }
  }

  public func stop() async {
    await loop.stop()
    await runner.stop()
  }
}
