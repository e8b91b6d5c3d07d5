import Base
import DomainKit
import Storage

/// Comments as things that are liked and reported. Whoever may see the thing that one hangs on sees it.
struct CommentSubject: SubjectKind {
  let core: SocialCore

  var prefix: String { IDKind.comment }

  var traits: SubjectTraits {
    var traits = SubjectTraits()
    traits.reactions = [.like, .emoji]
    return traits
  }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    guard let row = try CommentRow.find(id, in: reader), row.state != .deleted else { return nil }
    return SubjectFacts(owner: row.author, parent: row.subject)
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    let row = try CommentRow.find(id, in: reader)
    let mayBeSeen = try core.kit.subjects.isVisible(beneath: row?.subject, to: caller, in: reader)
    guard let row else { return false }
    return mayBeSeen && (row.state == .visible || (row.state != .deleted && caller?.user == row.author))
  }

  /// With the present handles.
  func words(of id: Identifier, in reader: any Reader) throws -> String? {
    try CommentRow.find(id, in: reader).map { try CommentReader(core, for: nil, in: reader).text(of: $0).0 }
  }

  func moderate(_ id: Identifier, _ measure: ModerationMeasure, in writer: any Writer) throws -> Bool {
    guard var row = try CommentRow.held(id, in: writer) else { return true }
    switch (measure, row.state) {
    case (.remove, .visible), (.remove, .held): try core.change(&row, to: .removed, in: writer)
    case (.restore, .removed), (.restore, .held): try core.change(&row, to: .visible, in: writer)
    default: break
    }
    return true
  }
}
