import Base
public import DomainKit
public import RPC
import SocialAPI
public import Storage

/// What people say to each other and about things, for all domains: following, and what hangs on subjects.
///
///     let social = SocialDomain(kit: kit, timers: timers, people: identity.people, notices: notify.notices)
///     kit.community.link(to: social.community)
///     social.register(in: &registry)
public struct SocialDomain: Domain {
  public static let name = "social"
  public static var migrations: [Migration] { SocialSchema.migrations }
  public static var descriptors: [[UInt8]] { [SocialAPIDescriptors.serializedFileDescriptorSet] }
  public static var noticeKinds: [NoticeKind] { SocialNotices.all }

  let core: SocialCore

  /// - Parameters:
  ///   - people: tells how users are shown.
  ///   - notices: knows the kinds that this domain declares.
  public init(
    kit: Kit, timers: Timers, people: any People, notices: any Notices, limits: SocialLimits = SocialLimits()
  ) {
    core = SocialCore(kit: kit, timers: timers, people: people, notices: notices, limits: limits)
  }

  /// What users are to each other, as all domains ask.
  public var community: any Community { SocialCommunity() }

  public var audiences: [any AudienceSource] { [Followers(subjects: core.kit.subjects)] }

  public var personalRecords: (any PersonalRecords)? { SocialRecords(core: core) }

  public func register(in registry: inout ServiceRegistry) {
    FollowHandlers(core: core).register(in: &registry)
  }

  /// Checks the invariants of the domain on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    try await core.kit.database.read { try SocialAudit(reader: $0).reports() }
  }
}
