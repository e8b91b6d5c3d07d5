import AdminAPI
import Base
import Cryptography
import DomainKit
import OctetTypes
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Streaming
import WellKnownTypes

@testable import Admin

/// Flags and tables of no real domain.
enum Pizza {
  static let isOpen = FlagDefinition("pizza.is_open", "Whether pizza is sold.", standard: false)
  static let slices = FlagDefinition("pizza.slices", "Into how many slices one is cut.", standard: Int64(8))
  static let topping = FlagDefinition("pizza.topping", "What is on top.", standard: "cheese")

  static let price = DatedColumn<Money>("price", "What one costs.", standard: Money(), in: 0...10_000)
  static let minutes = DatedColumn<Int64>("minutes", "How long it bakes.", standard: 12, in: 1...60)
  static let isVegan = DatedColumn("is_vegan", "Whether it has no cheese.", standard: false)
  static let menu = TableDefinition(
    "pizza.menu", "What is sold for how much.", key: "the pizza's name", columns: [price, minutes, isVegan])
}

/// Servers on one database whose only domain is this one. Staff has `ops`.
final class AdminWorld: Sendable {
  let clock = ManualClock()
  let database: any Database
  let doors = OpenDoors()
  let trail = NotedTrail()
  /// Where people live.
  let regions: Locked<[Identifier: String]>
  let kit: Kit
  let admin: AdminDomain

  static let staff = Identifier(rawValue: 1)
  static let stranger = Identifier(rawValue: 2)
  static let estimate = "octet.admin.v1.AdminService/EstimateCapacity"
  /// Staff gets its tokens there.
  static let waysIn = FlagCatalog.alwaysOn.filter { $0.hasPrefix("octet.identity.") }.sorted()

  private let root = SecretKey.random()

  init(limits: QueueLimits = QueueLimits()) async throws {
    database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + AdminDomain.migrations, clock: clock)
    kit = try Self.kit(node: 0, database, clock, root, doors, trail)
    let regions = Locked([Identifier: String]())
    self.regions = regions
    admin = Self.node(kit, limits) { user, _ in regions.withLock { $0[user] } }
    try await admin.board.catchUp()
  }

  /// - Parameter number: of the node; nil for one that is alone.
  private static func kit(
    node number: Int?, _ database: any Database, _ clock: ManualClock, _ root: SecretKey, _ doors: OpenDoors,
    _ trail: NotedTrail, _ failed: @escaping @Sendable (String, any Error) -> Void = { _, _ in }
  ) throws -> Kit {
    // Of its own for each process, which is known by it.
    let random = SystemRandomSource()
    return Kit(
      database: database, hub: TopicHub(database: EdgeDatabase(database), clock: clock, key: root), clock: clock,
      identifiers: IdentifierGenerator(clock: clock, node: number ?? 0), random: random,
      keys: try ServerKeys(root: root), authority: doors, log: Log(level: .error),
      others: number.map {
        OtherNodes(bus: nil, node: $0, database: database, clock: clock, random: random, failed: failed)
      }, audit: trail, roles: RoleCatalog([.staff("pizza.ops")]), beatInterval: nil)
  }

  /// Another process on the same database.
  /// - Parameters:
  ///   - number: of the node; nil for one that is alone.
  ///   - way: how it reaches the database; nil for directly.
  ///   - failed: hears of looks at what other nodes have done that failed.
  func process(
    _ number: Int?, limits: QueueLimits = QueueLimits(), by way: (any Database)? = nil,
    failed: @escaping @Sendable (String, any Error) -> Void = { _, _ in }
  ) throws -> AdminDomain {
    Self.node(try Self.kit(node: number, way ?? database, clock, root, doors, trail, failed), limits)
  }

  /// Another node on the same database.
  static func node(
    _ kit: Kit, _ limits: QueueLimits = QueueLimits(), regions: @escaping UserRegions = { _, _ in nil }
  ) -> AdminDomain {
    AdminDomain(
      kit: kit, flags: [Pizza.isOpen.declaration, Pizza.slices.declaration, Pizza.topping.declaration],
      tables: AdminDomain.tables + [Pizza.menu],
      methods: AdminServiceMethods.all.map { String($0.path.dropFirst()) } + AdminWorld.waysIn,
      regions: regions, limits: limits)
  }

  /// - Parameters:
  ///   - user: nil for nobody.
  ///   - node: the one that answers.
  func client(
    _ user: Identifier? = AdminWorld.staff, of node: AdminDomain? = nil,
    rate: Rate = Rate(perSecond: 9999, burst: 9999)
  ) -> AdminServiceClient {
    let node = node ?? admin
    var registry = ServiceRegistry()
    node.register(in: &registry)
    let access = AccessInterceptor(
      kit: kit, limits: RateLimits(standard: rate), switches: node.switches)
    let (keys, clock) = (kit.keys, clock)
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      guard let user else { return metadata }
      let token = AccessToken(user: user, session: user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
      try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      return metadata
    }
    return AdminServiceClient(
      RPCChannel(
        transport: InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock)),
        authority: "in-process", interceptors: [credentials, Patience()], clock: clock))
  }

  // MARK: Flags

  @discardableResult
  func put(
    _ name: String, _ value: TypedValue? = nil, rules: [FlagRule] = [], etag: String = "",
    requestID: String = newRequestID(), as user: Identifier = AdminWorld.staff
  ) async throws -> AdminAPI.Flag {
    var request = PutFlagRequest()
    (request.requestID, request.name, request.etag, request.rules) = (requestID, name, etag, rules)
    request.value = value.map { SettingValue($0) }
    return try await client(user).putFlag(request)
  }

  // MARK: Tables

  func menu(
    _ key: String, from: Instant? = nil, to: Instant? = nil, _ values: [String: TypedValue] = [:], row: String = "",
    etag: String = ""
  ) async throws -> TableRow {
    var request = PutTableRowRequest()
    (request.requestID, request.table, request.key) = (newRequestID(), Pizza.menu.name, key)
    (request.rowID, request.etag) = (row, etag)
    request.fromTime = from.map { Timestamp($0) }
    request.toTime = to.map { Timestamp($0) }
    request.values = values.mapValues { SettingValue($0) }
    return try await client().putTableRow(request)
  }

  /// What a domain finds.
  func lookUp(_ key: String, at instant: Instant) async throws -> DatedRow? {
    try await database.read { [admin] in try admin.tables.row(key, of: Pizza.menu, at: instant, in: $0) }
  }

  var violations: [String] { get async throws { try await admin.checkInvariants().flatMap(\.violations) } }
}

extension FlagRule {
  init(
    _ value: TypedValue, users: [Identifier] = [], role: String = "", region: String = "", share: Int32? = nil
  ) {
    self.init()
    self.value = SettingValue(value)
    userIds = users.map { $0.text(kind: "user") }
    (self.role, regionCode, shareBp) = (role, region, share)
  }
}

/// Lets everybody in; staff has `ops`.
final class OpenDoors: Authority {
  func hasEnded(_ session: Identifier) -> Bool { false }

  func knownRoles(of user: Identifier, epoch: Int64) -> RoleSet? { roles(user) }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { roles(user) }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { roles(user) }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    Standing(provedAt: Instant(seconds: 0))
  }

  private func roles(_ user: Identifier) -> RoleSet {
    user == AdminWorld.staff ? RoleSet([RoleGrant(role: "ops")]) : RoleSet()
  }
}

/// Keeps what was recorded and committed.
final class NotedTrail: Audit {
  private let noted = Locked<[AuditEntry]>([])

  private var entries: [AuditEntry] { noted.withLock { $0 } }
  /// What was done.
  var done: [AuditEntry] { entries.filter { $0.outcome == .done } }
  /// Why calls of staff were refused.
  var refusals: [String] {
    entries.compactMap { if case .refused(let reason) = $0.outcome { reason } else { nil } }
  }

  func record(_ entry: AuditEntry, in writer: any Writer) {
    writer.afterCommit { [self] in noted.withLock { $0.append(entry) } }
  }
}
