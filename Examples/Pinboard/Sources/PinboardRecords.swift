import Base
import Blobs
import DomainKit
import PinboardAPI
import Storage

/// What the board keeps about people: their adverts, and the pieces that they took.
struct PinboardRecords: PersonalRecords {
  /// Rows of one transaction of an erasure, or of one query of an export.
  static let rowsAtOnce = 100

  let board: Board
  let name = PinboardDomain.name

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let rows = try AdvertRow.list(
      of: user, after: Identifier(rawValue: .min), limit: Self.rowsAtOnce, in: writer)
    for row in rows { try board.erase(row.id, in: writer) }
    // That a piece was taken stays true, whoever took it.
    let claims = try writer.execute(
      """
      UPDATE pinboard_claims SET user_id = NULL WHERE (advert_id, id) IN
        (SELECT advert_id, id FROM pinboard_claims WHERE user_id = $1 ORDER BY id LIMIT $2)
      """, user, Self.rowsAtOnce)
    return !rows.isEmpty || claims > 0
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON(PinboardDomain.descriptors)
    try forEachAdvert(of: user, in: reader) { try json.write(Advert($0), to: record) }
    var last = Identifier(rawValue: .min)
    while true {
      let claims = try Giveaways.claims(of: user, after: last, limit: Self.rowsAtOnce, in: reader)
      for claim in claims { try json.write(Claim(claim.id, on: claim.advert, at: claim.at), to: record) }
      guard let end = claims.last else { return }
      last = end.id
    }
  }

  /// The photos, also those that their uploader has given up since.
  func blobs(of user: Identifier, in reader: any Reader) throws -> [BlobInfo] {
    var photos: [BlobInfo] = []
    try forEachAdvert(of: user, in: reader) { row in
      if let photo = try board.photo(of: row, in: reader) { photos.append(photo) }
    }
    return photos
  }

  private func forEachAdvert(
    of user: Identifier, in reader: any Reader, _ body: (AdvertRow) throws -> Void
  ) throws {
    var last = Identifier(rawValue: .min)
    while true {
      let rows = try AdvertRow.list(of: user, after: last, limit: Self.rowsAtOnce, in: reader)
      for row in rows { try body(row) }
      guard let end = rows.last else { return }
      last = end.id
    }
  }
}
