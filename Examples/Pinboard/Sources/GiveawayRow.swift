import Base
import Storage

/// A row of pinboard_giveaways.
struct GiveawayRow {
  let advert: Identifier
  /// The queue.
  let event: Identifier
  let pieces: Int64
  let given: Int64

  static func find(_ advert: Identifier, in reader: any Reader) throws -> GiveawayRow? {
    try reader.first("SELECT event_id, pieces, given FROM pinboard_giveaways WHERE advert_id = $1", advert) { row in
      GiveawayRow(advert: advert, event: row[0], pieces: row[1], given: row[2])
    }
  }
}
