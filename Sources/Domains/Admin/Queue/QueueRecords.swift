import AdminAPI
import Base
import DomainKit
import Storage
import WellKnownTypes

/// What queues keep about people: their places. The places stay, without their users, so that the order of admission can
/// still be checked.
struct QueueRecords: PersonalRecords {
  let queue: AdmissionQueue
  let name = AdminDomain.name

  /// Rows that one transaction erases.
  private static let erasedAtOnce = 256

  func erase(_ user: Identifier, in writer: any Writer) throws -> Bool {
    let places = try writer.rows(
      "SELECT event_id, id FROM queue_entries WHERE user_id = $1 ORDER BY event_id, id LIMIT $2", user,
      Self.erasedAtOnce
    ) { (event: $0[0] as Identifier, entry: $0[1] as Identifier) }
    for (event, entry) in places {
      _ = try EventRow.hold(event, in: writer)
      if let row = try EntryRow.find(event, entry, in: writer) { try queue.leave(row, in: writer) }
      try writer.execute("UPDATE queue_entries SET user_id = NULL WHERE event_id = $1 AND id = $2", event, entry)
    }
    return places.count == Self.erasedAtOnce
  }

  func export(
    _ user: Identifier, in reader: any Reader, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try ExportJSON(AdminDomain.descriptors)
    let entries = try reader.rows(
      """
      SELECT e.id, q.subject, e.state, e.created_at, e.ticket_expires_at FROM queue_entries e
      JOIN queue_events q ON q.id = e.event_id WHERE e.user_id = $1 ORDER BY e.id
      """, user
    ) { row in
      var entry = QueueEntry()
      entry.id = (row[0] as Identifier).text(kind: QueueOrder.idKind)
      entry.subject = row[1]
      entry.state = QueueEntryState(rawValue: Int32(truncatingIfNeeded: row.integer(2)))
      entry.createTime = Timestamp(row[3] as Instant)
      entry.ticketExpireTime = (row[4] as Instant?).map { Timestamp($0) }
      return entry
    }
    for entry in entries { try json.write(entry, to: record) }
  }
}
