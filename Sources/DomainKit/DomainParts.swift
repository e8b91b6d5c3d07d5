/// What a domain may build on: the kit, and what the shared domains do for all others. Whoever serves a domain hands it all of
/// them; the domain keeps those that it uses.
///
///     public init(_ parts: DomainParts) {
///       shop = Shop(kit: parts.kit, files: parts.files, notices: parts.notices)
///     }
///
/// What is not here the kit has: what users are to each other (`Kit.community`), the index of what is found
/// (`Kit.findables`), the trail (`Kit.audit`), large contents (`Kit.blobs`).
public struct DomainParts: Sendable {
  /// What every domain stands on: the database, callers, transactions that answer once.
  public let kit: Kit
  /// Work that survives a crash, and schedules.
  public let jobs: Jobs

  /// Users, what is known of them, and the roles that a domain gives them.
  public let people: any People
  /// How people are reached.
  public let contacts: any Contacts
  /// Tills, workers and other machines that call.
  public let credentials: any Credentials
  /// Puzzles before what machines must not do a million times.
  public let challenges: any Challenges

  /// What people are told, by inbox, mail, message or push.
  public let notices: any Notices
  /// Letters whose words are stored nowhere. Their sources are the domain's `letters`.
  public let letters: LetterPost
  /// Rooms that people talk in beside things.
  public let rooms: any Rooms
  /// Links that credit whoever gave them away.
  public let links: any ShareLinks
  /// Judges what people write.
  public let scorer: any ToxicityScorer
  /// Where texts go that people have to look at.
  public let reviewQueue: any ReviewQueue

  /// Uploads as parts of things.
  public let files: any Files

  /// Admission queues before what many want at once.
  public let queue: any Queue
  /// What staff switches while the server runs.
  public let flags: any Flags
  /// Dated rows that staff keeps: fares, fees, limits.
  public let tables: any Tables

  public init(
    kit: Kit, jobs: Jobs, people: any People, contacts: any Contacts, credentials: any Credentials,
    challenges: any Challenges, notices: any Notices, letters: LetterPost, rooms: any Rooms, links: any ShareLinks,
    scorer: any ToxicityScorer, reviewQueue: any ReviewQueue, files: any Files, queue: any Queue, flags: any Flags,
    tables: any Tables
  ) {
    self.kit = kit
    self.jobs = jobs
    self.people = people
    self.contacts = contacts
    self.credentials = credentials
    self.challenges = challenges
    self.notices = notices
    self.letters = letters
    self.rooms = rooms
    self.links = links
    self.scorer = scorer
    self.reviewQueue = reviewQueue
    self.files = files
    self.queue = queue
    self.flags = flags
    self.tables = tables
  }
}
