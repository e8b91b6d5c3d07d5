public import Base
public import Blobs
public import Storage
public import Streaming

/// What every domain is given. Domains keep it and take time, ids and random bits from nowhere else.
public struct Kit: Sendable {
  /// Its errors are those that clients may see: a busy engine is `KitError.overloaded`.
  public let database: any Database
  public let hub: TopicHub
  public let clock: any WallClock
  public let identifiers: IdentifierGenerator
  public let random: any RandomSource
  public let keys: ServerKeys
  public let authority: any Authority
  public let log: Log
  /// What can be commented on, reacted to, reviewed, reported, shared: all domains' kinds of things.
  public let subjects: SubjectRegistry
  /// Wakes streams about what may have become hidden.
  public let sights: Sights
  /// Who wants to know when sessions end.
  public let sessions = SessionObservers()
  /// What users are to each other. Nothing, where there is no social domain.
  public let community = CommunityLink()
  /// What is found by its words. Nothing, where there is no search domain.
  public let findables = FindablesLink()
  /// What all domains keep about people.
  public let personalRecords = PersonalRecordsRegistry()
  /// The zones that places and people are in.
  public let timeZones = TimeZones()
  /// Where changes of rights and decisions are recorded; calls of staff are without further ado. A kit that was made
  /// without records nothing.
  public let audit: any Audit
  /// The roles that there are.
  public let roles: RoleCatalog
  /// Refused calls of staff methods that are not recorded yet.
  public let notedCalls = NotedCalls()
  /// Nil if this process alone serves the database: what it has in memory is then all there is.
  public let others: OtherNodes?
  /// How often a stream is looked at: whether something was sent, and whether its caller may still be on it. Proxies
  /// commonly close what is idle for 60 seconds, so the standard lets no stream be silent for more than 40.
  /// Nil where no stream is looked at without cause, so that tests do not depend on how long they take.
  let beatInterval: Duration?
  private let library: BlobLibrary?

  /// Contents too large for rows. What refers to one says so in its own transaction: `blobs.references`. Traps in a kit
  /// that was made without.
  public var blobs: BlobLibrary {
    guard let library else { preconditionFailure("this kit was made without blobs") }
    return library
  }

  public init(
    database: any Database, hub: TopicHub, clock: any WallClock, identifiers: IdentifierGenerator,
    random: any RandomSource, keys: ServerKeys, authority: any Authority, log: Log, others: OtherNodes? = nil,
    blobs: BlobLibrary? = nil, audit: (any Audit)? = nil, roles: RoleCatalog = RoleCatalog(),
    beatInterval: Duration? = .seconds(20)
  ) {
    self.database = EdgeDatabase(database)
    self.hub = hub
    self.clock = clock
    self.identifiers = identifiers
    self.random = random
    self.keys = keys
    self.authority = authority
    self.log = log
    self.roles = roles
    self.others = others
    self.beatInterval = beatInterval
    library = blobs
    subjects = SubjectRegistry(community: community)
    subjects.observe(findables)
    let notes = others.map { _ in SightNotes(clock: clock) }
    sights = Sights(bus: others?.bus, notes: notes, key: keys.derived(for: "sights 1"))
    subjects.observe(sights)
    self.audit = audit ?? NoAudit()
  }
}
