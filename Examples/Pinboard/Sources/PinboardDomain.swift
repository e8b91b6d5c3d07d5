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

  let board: Board

  public init(kit: Kit, jobs: Jobs, people: any People, notices: any Notices) {
    board = Board(kit: kit, jobs: jobs, people: people, notices: notices)
  }

  public var jobs: [JobDeclaration] { [board.expiring] }
  public var subjects: [any SubjectKind] { [AdvertKind(), SectionKind()] }
  public var findables: [any FindableKind] { [AdvertKind()] }
  public var personalRecords: (any PersonalRecords)? { PinboardRecords(board: board) }

  public func register(in registry: inout ServiceRegistry) { PinboardHandlers(board: board).register(in: &registry) }

  public func checkInvariants() async throws -> [InvariantCheck] {
    try await board.kit.checkOnSnapshot { [board] in [try board.check(in: $0)] }
  }
}
