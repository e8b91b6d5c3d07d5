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
  public static var noticeKinds: [NoticeKind] { [Board.expired, Board.cleared, Board.invited] }
  public static var flags: [FlagDeclaration] { [Giveaways.puzzles.declaration] }
  public static var tables: [TableDefinition] { [Terms.table] }

  let board: Board

  public init(_ parts: DomainParts) {
    board = Board(parts: parts, giveaways: Giveaways(parts: parts))
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
