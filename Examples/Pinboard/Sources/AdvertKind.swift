import Base
import DomainKit
import Storage

/// What the shared modules may know of adverts: who sees one that hangs, and by which words it is found.
struct AdvertKind: SubjectKind, FindableKind {
  let board: Board

  var prefix: String { AdvertRow.idKind }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try AdvertRow.find(id, in: reader).map { row in
      SubjectFacts(owner: row.owner, parent: row.section.map { SubjectID(Sections.idKind, $0) })
    }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    try AdvertRow.find(id, in: reader)?.isSeen(by: caller?.user) ?? false
  }

  /// What not all see, nobody finds.
  func entry(of id: Identifier, in reader: any Reader) throws -> FindableEntry? {
    guard let row = try AdvertRow.find(id, in: reader), row.isSeen(by: nil) else { return nil }
    return FindableEntry(title: row.title, summary: row.text, isPersonal: true)
  }

  func things(after id: Identifier, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows("SELECT id FROM pinboard_adverts WHERE id > $1 ORDER BY id LIMIT $2", id, limit) { $0[0] }
  }
}
