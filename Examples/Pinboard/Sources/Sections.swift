import Base
import DomainKit
import PinboardAPI
import RPC
import Storage

/// Sections of the board, each looked after by those who hold a role on it.
enum Sections {
  static let idKind = "section"
  static let owner = "pinboard.owner"

  static let roles: [RoleDefinition] = [
    .resource(owner, of: idKind, givenBy: [owner], keepsLast: true),
    .resource("pinboard.editor", of: idKind, givenBy: [owner]),
  ]

  static func exists(_ id: Identifier, in reader: any Reader) throws -> Bool {
    try reader.exists("SELECT 1 FROM pinboard_sections WHERE id = $1", id)
  }
}

/// All see a section. What hangs in it lies under it, so whoever holds a role on it holds it there.
struct SectionKind: SubjectKind {
  var prefix: String { Sections.idKind }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try Sections.exists(id, in: reader) ? SubjectFacts(owner: nil) : nil
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    try Sections.exists(id, in: reader)
  }
}

extension PinboardHandlers {
  func openSection(_ request: OpenSectionRequest, context: ServerContext) async throws -> Section {
    let maker = try context.requireCaller().user
    return try await board.kit.mutate(request, context) { [board] writer in
      let id = board.kit.identifiers.next()
      try writer.execute("INSERT INTO pinboard_sections (id, title) VALUES ($1, $2)", id, request.title)
      let subject = SubjectID(Sections.idKind, id)
      try board.parts.people.grant(Sections.owner, to: maker, on: subject, in: writer)
      var section = Section()
      (section.id, section.title) = (subject.text, request.title)
      return section
    }
  }

  func clearAdvert(_ request: ClearAdvertRequest, context: ServerContext) async throws -> ClearAdvertResponse {
    let caller = try context.requireCaller()
    let id = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    // The kit has judged the caller's role on the advert, in this transaction too.
    return try await board.kit.mutate(request, context) { [board] writer in
      try board.clear(id, by: caller, in: writer)
      return ClearAdvertResponse()
    }
  }
}

extension Board {
  static let cleared = NoticeKind(
    "pinboard.cleared", ways: [.push], values: ["title": .text],
    words: ["en": NoticeWords("Your advert was taken down", "Whoever looks after the section has taken {title} down.")])

  /// Takes somebody's advert down for an editor of its section. That is a decision: it is on record, and the owner is told.
  func clear(_ id: Identifier, by caller: Caller, in writer: any Writer) throws {
    // What hangs is no matter of tills and price lists, whatever roles they were given.
    if caller.isMachine, try parts.credentials.machine(caller.user, in: writer)?.kind != .worker {
      throw KitError.permissionDenied
    }
    guard let row = try AdvertRow.find(id, in: writer), try takeDown(id, of: row.owner, in: writer) else {
      throw KitError.notFound(AdvertRow.idKind)
    }
    let advert = SubjectID(AdvertRow.idKind, id)
    try kit.audit.record(AuditEntry(.word("advert.cleared"), by: caller.actor, on: advert), in: writer)
    try parts.notices.notify(
      row.owner, Notice(Self.cleared, key: advert.text + "/cleared", about: advert, ["title": .text(row.title)]),
      in: writer)
  }
}
