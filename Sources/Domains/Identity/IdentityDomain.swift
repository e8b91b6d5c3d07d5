public import Base
public import DomainKit
import IdentityAPI
public import RPC
public import Storage

/// People: their accounts, sessions and rights.
///
///     let authority = try IdentityAuthority(database: database, clock: clock, keys: keys)
///     let kit = Kit(…, authority: authority, …)
///     let identity = try await IdentityDomain(          // before timers.start()
///       kit: kit, timers: timers, authority: authority, passwords: PasswordHasher(pool: pool))
///     try await authority.catchUp()
///     identity.register(in: &registry)
public struct IdentityDomain: Domain {
  public static let name = "identity"
  public static var descriptors: [[UInt8]] { [IdentityAPIDescriptors.serializedFileDescriptorSet] }

  private let core: IdentityCore

  /// Sets the handlers of its jobs, and watches for things that go, so `timers` must not have been started.
  /// - Parameters:
  ///   - passwords: hashes and checks passwords, at the cost that all hashes are made with.
  ///   - files: what documents are handed in with; nil for a server that verifies nobody.
  ///   - challenge: the puzzles that machines are slowed down with; nil for proofs of work.
  ///   - challengeRate: how often an address may register, log in and ask for reset codes, each, without a puzzle.
  public init(
    kit: Kit, timers: Timers, authority: IdentityAuthority, passwords: any PasswordWork,
    files: (any Files)? = nil, challenge: (any ChallengeHook)? = nil,
    challengeRate: Rate = Rate(perSecond: 1, burst: 100), limits: IdentityLimits = IdentityLimits()
  ) async throws {
    core = try IdentityCore(
      kit: kit, timers: timers, authority: authority, passwords: try await PasswordDesk(passwords),
      challenges: ChallengeDesk(
        kit: kit, hook: challenge ?? ProofOfWork(keys: kit.keys, random: kit.random), rate: challengeRate),
      files: files, limits: limits)
    core.closing.handleJobs()
    core.exports.handleJobs()
    let gone = GoneGrants(core: core)
    gone.handleTimer()
    kit.subjects.observe(gone)
  }

  /// The tables of this domain.
  public static var migrations: [Migration] { IdentitySchema.migrations }

  /// What other domains may know of people and do to their rights.
  public var people: any People { IdentityPeople(core: core) }

  /// The credentials of machines.
  public var credentials: any Credentials { IdentityCredentials(core: core) }

  /// How people are reached.
  public var contacts: any Contacts { IdentityContacts(core: core) }

  public var findables: [any FindableKind] { [FindableUsers()] }

  public var subjects: [any SubjectKind] {
    [UserSubject(community: core.kit.community), VerificationSubject(), ExportSubject(clock: core.kit.clock)]
  }

  /// Puzzles for pages of other domains that must be kept from machines.
  public var challenges: any Challenges { core.challenges }

  public static var noticeKinds: [NoticeKind] { [CodeLetters.code, CodeLetters.reset] + AccountNotices.all }

  /// Tells people about their accounts by these notices from now on. Once, before the first call.
  public func tell(by notices: any Notices) { core.notices.link(to: notices) }

  public var letters: [any LetterSource] { [CodeLetters(core: core)] }

  public var audiences: [any AudienceSource] { [AllUsers(), RoleHolders(clock: core.kit.clock)] }

  public var sweeps: [any Sweep] {
    [
      ExportRetention(core: core), CodeRetention(clock: core.kit.clock), UnprovedAccounts(core: core),
      IdleSessions(core: core), EndedSessions(core: core),
    ]
  }

  public var personalRecords: (any PersonalRecords)? { IdentityRecords(core: core) }

  /// Registers AccountService, SessionService, RoleService, ProfileService,
  /// CredentialService and, with files, VerificationService.
  public func register(in registry: inout ServiceRegistry) {
    AccountHandlers(core: core).register(in: &registry)
    SessionHandlers(core: core).register(in: &registry)
    RoleHandlers(core: core).register(in: &registry)
    ProfileHandlers(core: core).register(in: &registry)
    CredentialHandlers(core: core).register(in: &registry)
    if let files = core.files { VerificationHandlers(core: core, files: files).register(in: &registry) }
  }

  /// Checks the invariants of the domain on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    let (now, limits, audit) = (core.kit.clock.now(), core.limits, core.kit.audit)
    return try await core.kit.checkOnSnapshot { reader in
      try IdentityAudit(reader: reader, now: now, limits: limits, audit: audit).reports()
    }
  }

  /// Grants a platform-wide role without asking who wants it: for the server's own command line, which makes the first
  /// admin. A running server learns of it by `IdentityAuthority.catchUp`.
  /// - Throws: `CommandError`.
  public func grantRole(handle: String, role: String) async throws {
    let core = core
    try await core.kit.database.write { writer in
      guard let user = try UserRow.find(handleKey: handle.lowercased(), in: writer) else {
        throw CommandError.unknownHandle
      }
      do {
        _ = try core.grants.grant(role, to: .user(user.id), on: "", until: nil, by: .server, in: writer)
      } catch KitError.unknownRole {
        throw CommandError.unknownRole
      }
    }
  }

  /// Makes an account unless the handle is taken, and gives it the roles: for demo data.
  /// - Throws: what registering throws for a bad handle or a weak password.
  /// - Returns: the user.
  @discardableResult
  public func ensureUser(
    handle: String, displayName: String, password: String, roles: [String] = []
  ) async throws -> Identifier {
    guard let valid = Handle(handle) else { throw IdentityError.badHandle }
    if let lack = PasswordRules.weakness(of: password, handle: valid, contact: nil) {
      throw IdentityError.weakPassword(lack)
    }
    let core = core
    let hash = try await core.passwords.hash(password)
    return try await core.kit.database.write { writer in
      let account = NewAccount(handle: valid, displayName: displayName)
      let user =
        try UserRow.find(handleKey: valid.key, in: writer)
        ?? core.register(account, passwordHash: hash, dropAt: nil, in: writer)
      for role in roles {
        _ = try core.grants.grant(role, to: .user(user.id), on: "", until: nil, by: .server, in: writer)
      }
      return user.id
    }
  }
}

/// Why the command line cannot grant a role.
public enum CommandError: Error, Equatable, CustomStringConvertible {
  case unknownHandle
  case unknownRole

  public var description: String {
    switch self {
    case .unknownHandle: "nobody has this handle"
    case .unknownRole: "no such role, or it is granted on a resource only"
    }
  }
}
