public import Base
public import RPC
public import Storage

/// The trail of what staff, owners and the server did. The audit domain implements it.
///
/// Calls of staff are recorded by the kit: in the transaction of `Kit.mutate` if they change something, and before they are
/// answered if they read, or are refused. Handlers record changes of rights and decisions, which it does not see.
public protocol Audit: Sendable {
  /// Adds a record that commits with the caller's transaction.
  func record(_ entry: AuditEntry, in writer: any Writer) throws

  /// A number that rises with each record: of two snapshots the one with the greater number has seen more. 0 for a trail
  /// that keeps nothing.
  func sequence(in reader: any Reader) throws -> Int64

  /// How often each of some words was recorded of each of some things, with the facts of these names: for what must have a
  /// record. Nil for a trail that cannot tell.
  func mentions(
    of words: [StaticString], on objects: [SubjectID], with facts: Set<String>, in reader: any Reader
  ) throws -> [AuditMention: Int]?
}

extension Audit {
  public func sequence(in reader: any Reader) throws -> Int64 { 0 }
  public func mentions(
    of words: [StaticString], on objects: [SubjectID], with facts: Set<String>, in reader: any Reader
  ) throws -> [AuditMention: Int]? { nil }
}

/// A word that is recorded of a thing, with facts in the order of the record.
public struct AuditMention: Sendable, Hashable {
  /// As the trail has it: the word, the printed id, and a line for each fact.
  public let word: String
  public let object: String
  public let facts: [String]

  /// What the trail has.
  public init(word: String, object: String, facts: [String]) {
    self.word = word
    self.object = object
    self.facts = facts
  }

  public init(_ word: StaticString, on object: SubjectID, _ facts: [AuditFact]) {
    self.init(word: "\(word)", object: object.text, facts: facts.map(\.line))
  }
}

/// What is recorded. None of its parts can hold free text, so nothing personal gets into the trail: it must stay
/// readable, and its chain whole, when an account is erased.
public struct AuditEntry: Sendable, Equatable {
  public var actor: AuditActor
  public var action: AuditAction
  /// What was acted on; nil for what has no id.
  public var object: SubjectID?
  public var outcome: AuditOutcome
  public var facts: [AuditFact]

  public init(
    _ action: AuditAction, by actor: AuditActor, on object: SubjectID?, outcome: AuditOutcome = .done,
    _ facts: [AuditFact] = []
  ) {
    self.actor = actor
    self.action = action
    self.object = object
    self.outcome = outcome
    self.facts = facts
  }
}

/// Who acted.
public enum AuditActor: Sendable, Equatable {
  case server
  case user(Identifier)
  /// A machine.
  case credential(Identifier)

  /// Whose it is; nil for the server.
  public var id: Identifier? {
    switch self {
    case .server: nil
    case .user(let id), .credential(let id): id
    }
  }

  /// The printed id; empty for the server.
  public var text: String {
    switch self {
    case .server: ""
    case .user(let id): id.text(kind: "user")
    case .credential(let id): id.text(kind: "cred")
    }
  }
}

/// What was done.
public enum AuditAction: Sendable, Equatable {
  /// A call of this method.
  case call(MethodDescriptor)
  /// A word of the domain's such as `role.granted`.
  case word(StaticString)

  /// The method's path, or the word.
  public var text: String {
    switch self {
    case .call(let method): method.path
    case .word(let word): "\(word)"
    }
  }

  public static func == (a: AuditAction, b: AuditAction) -> Bool { a.text == b.text }
}

/// How it went.
public enum AuditOutcome: Sendable, Equatable {
  case done
  /// With the reason that the caller was told, such as `PERMISSION_DENIED`; or the status, where that had none.
  case refused(reason: String)
}

/// What else is known of an action: ids, names that are declared in code, numbers and instants.
public enum AuditFact: Sendable, Equatable {
  /// The role that let the caller in, or that was given or taken.
  case role(String)
  /// What a role covers.
  case resource(SubjectID)
  /// When it ends by itself.
  case until(Instant)
  /// How many.
  case count(Int)
  /// Why, in a word.
  case reason(StaticString)
  /// A flag, table or method, by the name that code declares.
  case setting(String)

  /// What the trail calls it.
  public var name: String {
    switch self {
    case .role: "role"
    case .resource: "resource"
    case .until: "until"
    case .count: "count"
    case .reason: "reason"
    case .setting: "setting"
    }
  }

  /// Its value in the trail: one line. Instants are nanoseconds since 1970.
  public var text: String {
    switch self {
    case .role(let role): role
    case .resource(let resource): resource.text
    case .until(let instant): "\(instant.nanoseconds)"
    case .count(let count): "\(count)"
    case .reason(let word): "\(word)"
    case .setting(let name): name
    }
  }

  /// As a record's details have it.
  public var line: String { "\(name)=\(text)" }

  public static func == (a: AuditFact, b: AuditFact) -> Bool { a.name == b.name && a.text == b.text }
}

/// Who records a call of staff.
public enum CallRecording: Sendable {
  /// `Kit.mutate` does, with what the request shows.
  case byKit
  /// The body does, with more than that: exactly one record for each call.
  case byBody
}

/// The trail of a kit that was made without one.
struct NoAudit: Audit {
  func record(_ entry: AuditEntry, in writer: any Writer) {}
}
