import Base
import DomainKit
import Storage

/// What the shared modules may know of adverts: everybody sees those that hang, and finds them by their words.
struct AdvertKind: SubjectKind, FindableKind {
  var prefix: String { AdvertRow.idKind }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try AdvertRow.find(id, in: reader).map { row in
      SubjectFacts(owner: row.owner, parent: row.section.map { SubjectID(Sections.idKind, $0) })
    }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    try AdvertRow.find(id, in: reader) != nil
  }

  func entry(of id: Identifier, in reader: any Reader) throws -> FindableEntry? {
    try AdvertRow.find(id, in: reader).map { FindableEntry(title: $0.title, summary: $0.text, isPersonal: true) }
  }

  func things(after id: Identifier, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows("SELECT id FROM pinboard_adverts WHERE id > $1 ORDER BY id LIMIT $2", id, limit) { $0[0] }
  }
}
