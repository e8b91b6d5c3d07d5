public import RPC
public import Storage
public import Streaming

/// A part of the server with tables and services of its own, as octetd opens, starts and stops it.
///
/// Making one must start nothing: octetd makes all of them, brings the schema up to date before, and starts them in the
/// order in which it made them.
public protocol Domain: Sendable {
  /// What `--services` calls it.
  static var name: String { get }

  /// Its tables; after those of the domains that were made before it.
  static var migrations: [Migration] { get }

  /// The roles that staff and owners can be granted; none by default.
  static var roles: [RoleDefinition] { get }

  /// What it tells people; nothing by default.
  static var noticeKinds: [NoticeKind] { get }

  /// The flags that it asks; none by default.
  static var flags: [FlagDeclaration] { get }

  /// The tables of dated rows that it looks things up in; none by default.
  static var tables: [TableDefinition] { get }

  /// Serialized FileDescriptorSets of its protos, for reflection and JSON; none by default.
  static var descriptors: [[UInt8]] { get }

  /// What is kept of its topics for those who come back, by the topics' first word. Topics that no domain names are kept
  /// for ever.
  var topicRetention: [String: TopicRetention] { get }

  /// The kinds of its things that the shared modules may serve; none by default.
  var subjects: [any SubjectKind] { get }

  /// The kinds of its things that are found by their words; none by default.
  var findables: [any FindableKind] { get }

  /// Whom others may tell something by its knowledge; none by default.
  var audiences: [any AudienceSource] { get }

  /// Makes its letters whose words may not be stored; none by default.
  var letters: [any LetterSource] { get }

  /// The kinds of its deferred work, and who does it; none by default.
  var jobs: [JobDeclaration] { get }

  /// What sets its jobs again and again; nothing by default.
  var schedules: [JobSchedule] { get }

  /// What ages in its tables and is swept away in the background; nothing by default.
  var sweeps: [any Sweep] { get }

  /// What it keeps about people; nil if nothing.
  var personalRecords: (any PersonalRecords)? { get }

  /// Looks whether what must always hold does hold, for AuditService.CheckInvariants. Nothing by default.
  func checkInvariants() async throws -> [InvariantCheck]

  /// What it answers beside calls, at the same addresses; nothing by default.
  var routes: [any PlainRoute] { get }

  /// Registers its services.
  func register(in registry: inout ServiceRegistry)

  /// Begins the work that nobody calls for. Nothing by default.
  func start() async throws

  /// Ends what `start` began. Calls must have ended. Nothing by default.
  func stop() async
}

extension Domain {
  public static var roles: [RoleDefinition] { [] }
  public static var noticeKinds: [NoticeKind] { [] }
  public static var flags: [FlagDeclaration] { [] }
  public static var tables: [TableDefinition] { [] }
  public static var descriptors: [[UInt8]] { [] }
  public var topicRetention: [String: TopicRetention] { [:] }
  public var subjects: [any SubjectKind] { [] }
  public var findables: [any FindableKind] { [] }
  public var audiences: [any AudienceSource] { [] }
  public var letters: [any LetterSource] { [] }
  public var jobs: [JobDeclaration] { [] }
  public var schedules: [JobSchedule] { [] }
  public var sweeps: [any Sweep] { [] }
  public var personalRecords: (any PersonalRecords)? { nil }
  public var routes: [any PlainRoute] { [] }
  public func checkInvariants() async throws -> [InvariantCheck] { [] }
  public func start() async throws {}
  public func stop() async {}
}
