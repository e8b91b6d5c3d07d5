public import Base
public import ProtobufRuntime
public import Storage

/// A kind of deferred work, as its domain declares it: its name, what a job of it carries, how it is tried.
///
///     static let expire = JobKind<NoPayload>("pinboard.expire")
///     …
///     try jobs.set(expire, JobKey(advert), due: expiresAt, in: writer)
///     …
///     var jobs: [JobDeclaration] { [Board.expire.inTransaction { job, writer in … }] }
///
/// A timer is a job with a due instant. At most one of a kind and key lives.
public struct JobKind<Payload: JobPayload>: Sendable {
  public let name: String
  public let terms: JobTerms

  /// - Parameter name: the domain's name, a dot, and a word.
  public init(_ name: String, _ terms: JobTerms = JobTerms()) {
    self.name = name
    self.terms = terms
  }
}

/// How the jobs of a kind are tried.
public struct JobTerms: Sendable, Equatable {
  /// How often, and how long is waited in between.
  public var retry = RetryPolicy()
  /// How many run at the same time on a node; nil for 64 that are done in a transaction, 2 that are done by a worker.
  /// Machines take one at a time, so of theirs there are as many as machines.
  public var atOnce: Int?
  /// The kind's part of a node that has more to do than it has places, beside those of other kinds: equal parts unless a kind
  /// says otherwise, which none of octetd's does (docs/guides/jobs.md).
  /// It says nothing of jobs that machines do: each asks for one kind, so none waits for another.
  public var weight = 1
  /// How long a worker that has gone silent keeps others from trying.
  public var lease = Duration.seconds(60)

  public init() {}
}

/// What a job carries beside its key. A protobuf message is one by saying so: `extension ScoringJob: JobPayload {}`.
public protocol JobPayload: Sendable {
  /// Reads what `jobBytes` gave, perhaps in an earlier version of the program.
  init(jobBytes: [UInt8]) throws

  var jobBytes: [UInt8] { get }
}

extension JobPayload where Self: Message {
  public init(jobBytes: [UInt8]) throws { try self.init(decoding: jobBytes) }

  public var jobBytes: [UInt8] { encoded() }
}

/// Of jobs whose key says all.
public struct NoPayload: JobPayload, Equatable {
  public init() {}
  public init(jobBytes: [UInt8]) {}
  public var jobBytes: [UInt8] { [] }
}

/// For which thing a job is.
public struct JobKey: Sendable, Hashable {
  public let text: String

  public init(_ text: String) {
    self.text = text
  }

  /// Of one thing, or of a thing within another.
  public init(_ ids: Identifier...) {
    text = ids.map { String($0.rawValue) }.joined(separator: "/")
  }

  /// The thing's id, if the key was made of one.
  public var id: Identifier? { Int64(text).map { Identifier(rawValue: $0) } }
}

/// A job as whoever does it sees it.
public struct DueJob<Payload: JobPayload>: Sendable {
  public let key: JobKey
  public let payload: Payload
  /// When it was to be done. The present may be later: after a stop, or a failed attempt.
  public let scheduledFor: Instant
  /// 1 for the first.
  public let attempt: Int
  /// Rises with every lease of this kind and key.
  public let fence: Int64

  init(_ timer: DueTimer) throws {
    key = JobKey(timer.key)
    payload = try Payload(jobBytes: timer.payload)
    scheduledFor = timer.scheduledFor
    attempt = timer.attempt
    fence = timer.fence
  }
}

extension DueJob: Equatable where Payload: Equatable {}
