import Base
import DomainKit
import PinboardAPI
import Storage
import WellKnownTypes

/// What happens on the board, whoever causes it: each in the transaction of the caller.
struct Board: Sendable {
  static let expiry = JobKind<NoPayload>("pinboard.expire")
  static let expired = NoticeKind(
    "pinboard.expired", ways: [.push], values: ["title": .text],
    words: ["en": NoticeWords("Your advert came down", "{title} has hung for its time.")])

  let parts: DomainParts
  let giveaways: Giveaways

  var kit: Kit { parts.kit }

  /// What takes an advert down when its time is over.
  var expiring: JobDeclaration {
    Self.expiry.inTransaction { job, writer in
      guard let id = job.key.id, let row = try AdvertRow.find(id, in: writer),
        try takeDown(id, of: row.owner, in: writer)
      else { return }
      let advert = SubjectID(AdvertRow.idKind, id)
      try parts.notices.notify(
        row.owner, Notice(Self.expired, key: advert.text + "/expired", about: advert, ["title": .text(row.title)]),
        in: writer)
    }
  }

  /// - Parameter score: of what the draft says. What people had better look at hangs, and waits for them.
  func pin(_ draft: AdvertDraft, _ score: ToxicityScore, by owner: Identifier, in writer: any Writer) throws -> Advert {
    if score.verdict == .refused { throw PinboardError.textRefused }
    if let section = draft.section, try !Sections.exists(section, in: writer) {
      throw KitError.notFound(Sections.idKind)
    }
    let now = kit.clock.now()
    let advert = SubjectID(AdvertRow.idKind, kit.identifiers.next())
    let row = AdvertRow(
      id: advert.id, owner: owner, title: draft.title, text: draft.text,
      expiresAt: now + .seconds(try Terms.days(at: now, parts.tables, in: writer) * 86_400), section: draft.section,
      isPrivate: false, removedAt: nil, photo: try draft.photo.map { try attach($0, of: owner, to: advert, in: writer) }
    )
    try row.insert(in: writer)
    try parts.jobs.set(Self.expiry, JobKey(row.id), due: row.expiresAt, in: writer)
    try parts.reviewQueue.review(advert, by: owner, score, in: writer)
    try changed(row.id, in: writer)
    return Advert(row)
  }

  /// - Returns: false for one that does not hang, or is somebody else's.
  func setPrivacy(
    _ id: Identifier, _ isPrivate: Bool, of owner: Identifier, in writer: any Writer
  ) throws -> Bool {
    let count = try writer.execute(
      "UPDATE pinboard_adverts SET is_private = $1 WHERE id = $2 AND owner_id = $3 AND down_at IS NULL", isPrivate, id,
      owner)
    guard count == 1 else { return false }
    try changed(id, in: writer)
    return true
  }

  /// - Returns: false if it was down already: of several who try, one takes it down.
  func takeDown(_ id: Identifier, of owner: Identifier, in writer: any Writer) throws -> Bool {
    let count = try writer.execute(
      """
      UPDATE pinboard_adverts SET down_at = $1, photo_id = NULL WHERE id = $2 AND owner_id = $3 AND down_at IS NULL
      """, kit.clock.now(), id, owner)
    guard count == 1 else { return false }
    try gone(id, in: writer)
    return true
  }

  func erase(_ id: Identifier, in writer: any Writer) throws {
    try writer.execute("DELETE FROM pinboard_adverts WHERE id = $1", id)
    try gone(id, in: writer)
  }

  /// What people have said about it, and its photo, go with it.
  private func gone(_ id: Identifier, in writer: any Writer) throws {
    try parts.jobs.cancel(Self.expiry, JobKey(id), in: writer)
    try giveaways.end(on: id, in: writer)
    try kit.subjects.gone(SubjectID(AdvertRow.idKind, id), in: writer)
  }

  /// Whoever looks at an advert or finds it learns that others may see it than before.
  private func changed(_ id: Identifier, in writer: any Writer) throws {
    try kit.subjects.visibilityChanged(of: SubjectID(AdvertRow.idKind, id), in: writer)
  }

  /// Invariant 1: an advert hangs if and only if its timer waits.
  func check(in reader: any Reader) throws -> InvariantCheck {
    let hanging = "SELECT CAST(id AS TEXT) AS key FROM pinboard_adverts WHERE down_at IS NULL"
    let waiting = "SELECT key FROM octet_timers WHERE kind = '\(Self.expiry.name)'"
    return InvariantCheck(
      number: 1, statement: "an advert hangs if and only if its timer waits",
      rowsChecked: try reader.first("SELECT COUNT(*) FROM pinboard_adverts") { $0[0] } ?? 0,
      violations: try reader.rows(
        """
        SELECT key FROM (\(hanging)) h WHERE key NOT IN (\(waiting))
        UNION ALL SELECT key FROM (\(waiting)) w WHERE key NOT IN (\(hanging))
        """
      ) { row in Identifier(rawValue: Int64(row[0] as String) ?? 0).text(kind: AdvertRow.idKind) })
  }
}

extension Advert {
  init(_ row: AdvertRow) {
    self.init()
    id = row.id.text(kind: AdvertRow.idKind)
    ownerID = row.owner.text(kind: "user")
    title = row.title
    text = row.text
    expireTime = Timestamp(row.expiresAt)
    sectionID = row.section?.text(kind: Sections.idKind) ?? ""
    isPrivate = row.isPrivate
    photoID = row.photo?.text(kind: Board.photoKind) ?? ""
  }
}
