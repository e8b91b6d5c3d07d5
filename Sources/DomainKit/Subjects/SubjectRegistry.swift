import Base
import ProtobufRuntime
public import Storage

/// All kinds of things that the domains of this server have.
///
/// Filled once, before the first call; safe to share between threads.
public final class SubjectRegistry: Sendable {
  private let kinds = Locked([String: any SubjectKind]())

  public init() {}

  /// Adds kinds. Each prefix has one.
  public func register(_ added: [any SubjectKind]) {
    kinds.withLock { kinds in
      for kind in added {
        precondition(kinds.updateValue(kind, forKey: kind.prefix) == nil, "two kinds of subject \(kind.prefix)")
      }
    }
  }

  /// Reads the id of a subject in a request's field.
  /// - Throws: `KitError.invalid` for what is no id; `.wrongIDKind` for a kind that this server has not.
  public func parse(_ text: String, field: String) throws(KitError) -> SubjectID {
    guard let subject = SubjectID(parsing: text) else {
      throw .invalid(FieldViolation(field: field, description: "not the id of anything"))
    }
    guard self[subject] != nil else { throw .wrongIDKind(field: field) }
    return subject
  }

  /// What the subject's domain says about its kind; nil for a kind that this server has not.
  public subscript(subject: SubjectID) -> (any SubjectKind)? {
    kinds.withLock { $0[subject.kind] }
  }

  /// What is known of a subject, for somebody who may see it.
  /// - Throws: `KitError.notFound` for one that is absent, and alike for one that the caller may not see.
  public func visible(
    _ subject: SubjectID, to caller: Caller?, in reader: any Reader
  ) throws -> (kind: any SubjectKind, facts: SubjectFacts) {
    guard let found = try look(subject, caller, reader) else { throw KitError.notFound(subject.kind) }
    return found
  }

  /// Whether a subject is there and somebody may see it.
  public func isVisible(_ subject: SubjectID, to caller: Caller?, in reader: any Reader) throws -> Bool {
    try look(subject, caller, reader) != nil
  }

  private func look(
    _ subject: SubjectID, _ caller: Caller?, _ reader: any Reader
  ) throws -> (kind: any SubjectKind, facts: SubjectFacts)? {
    guard let kind = self[subject], let facts = try kind.facts(of: subject.id, in: reader),
      try kind.canView(subject.id, by: caller, in: reader)
    else { return nil }
    return (kind, facts)
  }
}
