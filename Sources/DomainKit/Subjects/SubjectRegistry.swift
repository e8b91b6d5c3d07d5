import Base
import ProtobufRuntime
public import Storage

/// All kinds of things that the domains of this server have.
///
/// Filled once, before the first call; safe to share between threads.
public final class SubjectRegistry: Sendable {
  private let kinds = Locked([String: any SubjectKind]())
  private let observers = Locked([any SubjectObserver]())
  private let community: any Community
  /// The kind of the thing that was asked about last by what hangs on it.
  private let usualKind = Locked<String?>(nil)

  /// - Parameter community: knows who has blocked whom.
  public init(community: any Community = CommunityLink()) {
    self.community = community
  }

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

  /// Whether what hangs on a thing may be seen as far as the thing decides it: by whoever sees the thing.
  ///
  /// - Parameter thing: nil for what is not there. Then a thing is asked about that is not there either, of the kind that was
  ///   asked about last: the time that it takes to say so must not tell what is there and hidden.
  public func isVisible(beneath thing: SubjectID?, to caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let asked = beneath(thing) else { return false }
    let isVisible = try isVisible(asked, to: caller, in: reader)
    return isVisible && thing != nil
  }

  /// Whose the thing is that something hangs on; nil for nobody's. It takes as long for what is not there.
  public func owner(beneath thing: SubjectID?, in reader: any Reader) throws -> Identifier? {
    guard let asked = beneath(thing) else { return nil }
    let facts = try self[asked]?.facts(of: asked.id, in: reader)
    return thing == nil ? nil : facts?.owner
  }

  /// The thing, or one that is not there.
  private func beneath(_ thing: SubjectID?) -> SubjectID? {
    usualKind.withLock { usual in
      if let thing { usual = thing.kind }
      return thing ?? usual.map { SubjectID($0, Self.nobody) }
    }
  }

  /// How many things may lie one under the other: a terminal in a till in a store of a merchant is four.
  static let longestChain = 8

  /// A thing, what it lies under, what that lies under, and so on up: where a grant that covers the thing may be. What has
  /// no owner's word for it, a thing that is gone or of a kind that this server has not, lies under nothing.
  public func chain(of subject: SubjectID, in reader: any Reader) throws -> [SubjectID] {
    var chain = [subject]
    while chain.count < Self.longestChain, let last = chain.last,
      let parent = try self[last]?.facts(of: last.id, in: reader)?.parent, !chain.contains(parent)
    {
      chain.append(parent)
    }
    return chain
  }

  /// Whether a subject's owner and somebody have blocked each other, one or both. Staff sees what users hide.
  private func isHidden(
    _ kind: any SubjectKind, _ facts: SubjectFacts?, from caller: Caller?, _ reader: any Reader
  ) throws -> Bool {
    guard let caller, kind.traits.isHiddenByBlocks, caller.user != facts?.owner, !caller.roles.isStaff else {
      return false
    }
    let isBlocked = try community.isBlocked(caller.user, facts?.owner ?? Self.nobody, in: reader)
    return isBlocked && facts?.isShared != true
  }

  private static let nobody = Identifier(rawValue: 0)

  private func look(
    _ subject: SubjectID, _ caller: Caller?, _ reader: any Reader
  ) throws -> (kind: any SubjectKind, facts: SubjectFacts)? {
    guard let kind = self[subject] else { return nil }
    // All is asked in any case: the time that it takes must not tell what is there.
    return try show(subject, to: caller) { caller in
      let facts = try kind.facts(of: subject.id, in: reader)
      let mayView = try kind.canView(subject.id, by: caller, in: reader)
      let isHidden = try isHidden(kind, facts, from: caller, reader)
      guard let facts, mayView, !isHidden else { return nil }
      return (kind, facts)
    }
  }

  /// What somebody sees; what staff sees, and would not see without its roles, is put on record.
  private func show<Sight>(
    _ subject: SubjectID, to caller: Caller?, _ look: (Caller?) throws -> Sight?
  ) rethrows -> Sight? {
    let sight = try look(caller)
    if sight != nil, let caller, let user = caller.asUser, try look(user) == nil { caller.seesAsStaff(subject) }
    return sight
  }

  /// Whether somebody may view a thing as far as its kind decides it: also what a block hides.
  public func mayView(_ subject: SubjectID, by caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let kind = self[subject] else { return false }
    return try show(subject, to: caller) { try kind.canView(subject.id, by: $0, in: reader) ? true : nil } != nil
  }

  /// Whether somebody may follow a subject.
  /// - Throws: `KitError.notFound` for one that is absent, and alike for one that the caller may not follow.
  public func following(
    _ subject: SubjectID, by caller: Caller, in reader: any Reader
  ) throws -> (facts: SubjectFacts, isOnRequest: Bool) {
    guard let kind = self[subject] else { throw KitError.notFound(subject.kind) }
    let found: (facts: SubjectFacts, isOnRequest: Bool)? = try show(subject, to: caller) { asking in
      let facts = try kind.facts(of: subject.id, in: reader)
      let following = try kind.following(subject.id, by: asking ?? caller, in: reader)
      let isHidden = try isHidden(kind, facts, from: asking, reader)
      guard let facts, following != .refused, !isHidden else { return nil }
      return (facts, following == .onRequest)
    }
    guard let found else { throw KitError.notFound(subject.kind) }
    return found
  }

  // MARK: Changes

  /// Asks to be told of changes of who may see what. Before the first call.
  public func observe(_ observer: any SubjectObserver) {
    observers.withLock { $0.append(observer) }
  }

  /// To be called by a thing's domain in the transaction that changes who may see it: streams about it end for those who
  /// may not any more, without waiting for what happens next.
  public func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {
    for observer in observers.withLock({ $0 }) { try observer.visibilityChanged(of: subject, in: writer) }
  }

  /// To be called by a thing's domain in the transaction that deletes it, after that; its `facts` are nil from then on. What
  /// people have said about it and its files' shares go, and its rooms close, in small transactions after this one. A repeat
  /// changes nothing.
  public func gone(_ subject: SubjectID, in writer: any Writer) throws {
    for observer in observers.withLock({ $0 }) { try observer.gone(subject, in: writer) }
  }

  /// Tells a thing's domain what somebody has done with it. For the domain in which it was done.
  public func happened(_ deed: SubjectDeed, to subject: SubjectID, in writer: any Writer) throws {
    try self[subject]?.happened(deed, to: subject.id, in: writer)
  }
}

/// Wants to know when others, or no others, may see a thing.
public protocol SubjectObserver: Sendable {
  /// Called in the transaction that makes it so.
  func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws

  /// Called in the transaction that deletes a thing for good.
  func gone(_ subject: SubjectID, in writer: any Writer) throws
}

extension SubjectObserver {
  /// Nobody sees what is gone.
  public func gone(_ subject: SubjectID, in writer: any Writer) throws {
    try visibilityChanged(of: subject, in: writer)
  }
}
