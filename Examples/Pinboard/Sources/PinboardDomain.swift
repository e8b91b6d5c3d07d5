public import DomainKit
import PinboardAPI
public import RPC
public import Storage

/// A board with adverts that all users read.
public struct PinboardDomain: Domain {
  public static let name = "pinboard"
  public static var migrations: [Migration] { PinboardSchema.migrations }
  public static var descriptors: [[UInt8]] { [PinboardAPIDescriptors.serializedFileDescriptorSet] }
  public static var roles: [RoleDefinition] { Sections.roles }
  public static var noticeKinds: [NoticeKind] { [Board.expired] }
  public static var tables: [TableDefinition] { [Terms.table] }

  let board: Board

  public init(kit: Kit, jobs: Jobs, people: any People, notices: any Notices, queue: any Queue, tables: any Tables) {
    board = Board(
      kit: kit, jobs: jobs, people: people, notices: notices, tables: tables,
      giveaways: Giveaways(kit: kit, queue: queue))
  }

  public var jobs: [JobDeclaration] { [board.expiring] }
  public var subjects: [any SubjectKind] { [AdvertKind(board: board), SectionKind()] }
  public var findables: [any FindableKind] { [AdvertKind(board: board)] }
  public var personalRecords: (any PersonalRecords)? { PinboardRecords(board: board) }

  public func register(in registry: inout ServiceRegistry) {
    PinboardHandlers(board: board).register(in: &registry)
    GiveawayHandlers(giveaways: board.giveaways).register(in: &registry)
  }

  public func checkInvariants() async throws -> [InvariantCheck] {
    try await board.kit.checkOnSnapshot { [board] in [try board.check(in: $0), try Giveaways.check(in: $0)] }
  }
}
