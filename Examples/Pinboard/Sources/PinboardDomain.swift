public import DomainKit
import PinboardAPI
public import RPC
public import Storage

/// A board with adverts that all users read.
public struct PinboardDomain: Domain {
  public static let name = "pinboard"
  public static var migrations: [Migration] { PinboardSchema.migrations }
  public static var descriptors: [[UInt8]] { [PinboardAPIDescriptors.serializedFileDescriptorSet] }
  public static var noticeKinds: [NoticeKind] { [Board.expired] }

  let board: Board

  public init(kit: Kit, jobs: Jobs, notices: any Notices) {
    board = Board(kit: kit, jobs: jobs, notices: notices)
  }

  public var jobs: [JobDeclaration] { [board.expiring] }
  public var subjects: [any SubjectKind] { [AdvertKind()] }
  public var findables: [any FindableKind] { [AdvertKind()] }
  public var personalRecords: (any PersonalRecords)? { PinboardRecords(board: board) }

  public func register(in registry: inout ServiceRegistry) { PinboardHandlers(board: board).register(in: &registry) }

  public func checkInvariants() async throws -> [InvariantCheck] {
    try await board.kit.checkOnSnapshot { [board] in [try board.check(in: $0)] }
  }
}
