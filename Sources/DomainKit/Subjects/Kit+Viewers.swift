public import Base
public import Storage

extension Kit {
  /// Those of some users who may see a thing, none of whom calls: whom to tell of it. Who sees it by a role of staff alone is not
  /// among them, also where an audience is all who hold the role (`hearer`): staff are told to look by words that name no such
  /// thing.
  /// - Returns: nil if the thing is gone.
  public func viewers(
    of subject: SubjectID, among users: [Identifier], in reader: any Reader
  ) throws -> [Identifier]? {
    guard let kind = subjects[subject], let facts = try kind.facts(of: subject.id, in: reader) else { return nil }
    // Of what everybody sees, a block alone keeps somebody away.
    guard try subjects.isVisible(subject, to: nil, in: reader) else {
      return try users.filter { try subjects.isVisible(subject, to: hearer($0, in: reader), in: reader) }
    }
    guard let owner = facts.owner, kind.traits.isHiddenByBlocks, !facts.isShared else { return users }
    // In one look those whom something separates from the owner; a few may be muted alone.
    let apart = try community.unheard(by: owner, among: Set(users), in: reader)
    return try users.filter { try !apart.contains($0) || !community.isBlocked($0, owner, in: reader) }
  }
}
