import Base
import DomainKit
import Storage

/// What an advert gives away, behind an admission queue.
struct Giveaways: Sendable {
  static let claimKind = "claim"
  /// How many are let in at once, and in each second, if nobody says otherwise: as many as can decide about one thing.
  static let rate: Int64 = 10
  /// How long a ticket may be good.
  static let ticketTimes = Duration.seconds(1)...Duration.seconds(3600)

  /// Whether machines are kept from taking pieces.
  static let puzzles = FlagDefinition(
    "pinboard.claim_puzzles", "Whether whoever takes a piece has to solve a puzzle before, as when machines come.",
    standard: false)

  let parts: DomainParts

  var kit: Kit { parts.kit }
  var queue: any Queue { parts.queue }

  /// A giveaway that somebody may know of, as he or she may see its advert.
  /// - Throws: `KitError.notFound`.
  func visible(on advert: Identifier, to caller: Caller, in reader: any Reader) throws -> GiveawayRow {
    _ = try kit.subjects.visible(SubjectID(AdvertRow.idKind, advert), to: caller, in: reader)
    guard let row = try GiveawayRow.find(advert, in: reader) else { throw KitError.notFound("giveaway") }
    return row
  }

  func offer(
    _ pieces: Int64, on advert: Identifier, of owner: Identifier, _ plan: QueuePlan, in writer: any Writer
  ) throws -> GiveawayRow {
    // Held, so that it cannot come down meanwhile, and leave a queue that nobody closes.
    guard let row = try AdvertRow.hold(advert, in: writer), row.owner == owner, row.removedAt == nil else {
      throw KitError.notFound(AdvertRow.idKind)
    }
    let subject = SubjectID(AdvertRow.idKind, advert)
    let event = try queue.create(plan, for: subject, in: writer)
    let count = try writer.execute(
      "INSERT INTO pinboard_giveaways (advert_id, event_id, pieces) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
      advert, event.id, pieces)
    guard count == 1 else { throw PinboardError.alreadyOffered }
    return GiveawayRow(advert: advert, event: event.id, pieces: pieces, given: 0)
  }

  /// Takes a piece: with the ticket, or not at all.
  func claim(
    _ ticket: String, on advert: Identifier, by caller: Caller, in writer: any Writer
  ) throws -> (id: Identifier, at: Instant) {
    let row = try visible(on: advert, to: caller, in: writer)
    try queue.spend(ticket, of: row.event, by: caller.user, in: writer)
    // From here on the giveaway is this transaction's.
    let count = try writer.execute(
      "UPDATE pinboard_giveaways SET given = given + 1 WHERE advert_id = $1 AND given < pieces", advert)
    guard count == 1 else { throw PinboardError.allGiven }
    let (id, now) = (kit.identifiers.next(), kit.clock.now())
    let inserted = try writer.execute(
      """
      INSERT INTO pinboard_claims (advert_id, id, user_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
      """, advert, id, caller.user, now)
    guard inserted == 1 else { throw PinboardError.alreadyClaimed }
    if let left = try GiveawayRow.find(advert, in: writer), left.given == left.pieces {
      try queue.close(row.event, in: writer)
    }
    try tellThread(of: SubjectID(AdvertRow.idKind, advert), in: writer)
    return (id, now)
  }

  /// Those who talk beside the advert see at the same commit that a piece is gone.
  private func tellThread(of advert: SubjectID, in writer: any Writer) throws {
    guard let room = try parts.rooms.room(.thread, about: advert.text, in: writer), !room.isClosed else { return }
    _ = try parts.rooms.post(RoomMessage(.system, text: "A piece was taken.", about: advert), in: room.id, writer)
  }

  /// The advert is gone: nobody is let in any more.
  func end(on advert: Identifier, in writer: any Writer) throws {
    guard let row = try GiveawayRow.find(advert, in: writer) else { return }
    try queue.close(row.event, in: writer)
  }

  /// When somebody took a piece; nil for a claim of somebody else's, or none.
  static func claimedAt(
    _ claim: Identifier, on advert: Identifier, by user: Identifier, in reader: any Reader
  ) throws -> Instant? {
    try reader.first(
      "SELECT created_at FROM pinboard_claims WHERE advert_id = $1 AND id = $2 AND user_id = $3", advert, claim, user
    ) { $0[0] }
  }

  /// What somebody has taken, oldest first.
  static func claims(
    of user: Identifier, after id: Identifier, limit: Int, in reader: any Reader
  ) throws -> [(id: Identifier, advert: Identifier, at: Instant)] {
    try reader.rows(
      "SELECT id, advert_id, created_at FROM pinboard_claims WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
      user, id, limit
    ) { ($0[0], $0[1], $0[2]) }
  }

  /// Invariant 2: as many pieces were given as there are claims, and no more than there were.
  static func check(in reader: any Reader) throws -> InvariantCheck {
    InvariantCheck(
      number: 2, statement: "as many pieces were given as there are claims, and no more than there were",
      rowsChecked: try reader.first("SELECT COUNT(*) FROM pinboard_giveaways") { $0[0] } ?? 0,
      violations: try reader.rows(
        """
        SELECT g.advert_id FROM pinboard_giveaways g LEFT JOIN pinboard_claims c ON c.advert_id = g.advert_id
        GROUP BY g.advert_id, g.given, g.pieces HAVING COUNT(c.id) <> g.given OR g.given > g.pieces
        """
      ) { ($0[0] as Identifier).text(kind: AdvertRow.idKind) })
  }
}
