import Base
public import DomainKit
import NotifyAPI
public import RPC
public import Storage
public import Streaming

/// What people are told: the inbox of each user, and the ways outside of it.
///
///     let notify = NotifyDomain(
///       kit: kit, timers: timers, people: identity.people, contacts: identity.contacts, kinds: kinds,
///       outbound: outbound)
///     notify.register(audiences: identity.audiences)      // before timers.start()
///     notify.register(letters: identity.letters)
///     notify.register(in: &registry)
public struct NotifyDomain: Domain {
  public static let name = "notify"
  public static var migrations: [Migration] { NotifySchema.migrations }
  public static var descriptors: [[UInt8]] { [NotifyAPIDescriptors.serializedFileDescriptorSet] }
  public static var roles: [RoleDefinition] { [.staff("notify.ops")] }
  public static var noticeKinds: [NoticeKind] { [Announcing.kind] }

  let core: NotifyCore

  /// Sets the handlers of its timers, and watches sessions, so `timers` must not have been started, nor calls served.
  /// - Parameters:
  ///   - kinds: those that all domains declare, this one among them.
  ///   - outbound: how letters leave.
  public init(
    kit: Kit, timers: Timers, people: any People, contacts: any Contacts, kinds: [NoticeKind],
    outbound: OutboundWays, limits: NotifyLimits = NotifyLimits()
  ) {
    core = NotifyCore(
      kit: kit, timers: timers, people: people, contacts: contacts, catalog: NoticeCatalog(kinds),
      audiences: AudienceRegistry(), letters: LetterRegistry(),
      outbound: [.push: outbound.push, .mail: outbound.mail, .sms: outbound.sms], limits: limits,
      unsubscribeKey: kit.keys.derived(for: "notify unsubscribe tokens 1"),
      deviceKey: kit.keys.derived(for: "notify devices 1"), outsideKeys: OutsideKeys(kit.keys))
    core.handleTimers()
    kit.sessions.observe(PushSessions())
  }

  /// What other domains tell people with.
  public var notices: any Notices { NotifyNotices(core: core) }

  public var audiences: [any AudienceSource] { [ListedUsers()] }

  /// Makes audiences known. Once, before the timers are started, with those of all domains.
  public func register(audiences: [any AudienceSource]) { core.audiences.register(audiences) }

  /// Makes sources of letters known. Once, before the timers are started, with those of all domains.
  public func register(letters: [any LetterSource]) { core.letters.register(letters) }

  public var sweeps: [any Sweep] {
    [
      InboxRetention(limits: core.limits, clock: core.kit.clock),
      OutsideRetention(limits: core.limits, clock: core.kit.clock),
    ]
  }

  public var topicRetention: [String: TopicRetention] { ["inbox": TopicRetention(age: core.limits.eventRetention)] }

  public var personalRecords: (any PersonalRecords)? { NotifyRecords(core: core) }

  public func register(in registry: inout ServiceRegistry) {
    NotificationHandlers(core: core).register(in: &registry)
  }

  /// Checks the invariants of the domain on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    try await core.kit.checkOnSnapshot { [people = core.people] in
      try NotifyAudit(reader: $0, people: people).reports()
    }
  }

  public func stop() async {
    for outbound in core.outbound.values { await outbound.close() }
  }
}

/// How letters leave, by way.
public struct OutboundWays: Sendable {
  public var push: any Outbound
  public var mail: any Outbound
  public var sms: any Outbound

  public init(push: any Outbound, mail: any Outbound, sms: any Outbound) {
    self.push = push
    self.mail = mail
    self.sms = sms
  }
}
