import Base
import DomainKit
import Storage

/// Looks whether what must always hold does hold. The numbers are those of the platform's page.
struct ChatAudit {
  /// Rooms, or messages, that are looked at at once.
  private static let pageSize = 256

  let reader: any Reader
  let subjects: SubjectRegistry
  let community: any Community

  func reports() throws -> [InvariantCheck] {
    [
      try report(
        8, "the numbers of a room's messages are dense",
        """
        SELECT r.id FROM chat_rooms r LEFT JOIN chat_messages m ON m.room_id = r.id GROUP BY r.id, r.next_number
        HAVING COUNT(m.number) <> r.next_number - 1 OR COALESCE(MAX(m.number), 0) <> r.next_number - 1
        """),
      try report(
        8, "nobody has read further than there are messages",
        """
        SELECT r.id FROM chat_rooms r JOIN chat_members m ON m.room_id = r.id
        WHERE m.read_through >= r.next_number OR m.told_through >= r.next_number
        """),
      try report(
        8, "the count of a room's members is that of their rows",
        """
        SELECT r.id FROM chat_rooms r LEFT JOIN chat_members m ON m.room_id = r.id AND m.left_at IS NULL
        GROUP BY r.id, r.member_count HAVING COUNT(m.user_id) <> r.member_count
        """),
      try report(
        8, "a room's hearts are those that its people have given",
        """
        SELECT r.id FROM chat_rooms r LEFT JOIN chat_hearts h ON h.room_id = r.id GROUP BY r.id, r.hearts
        HAVING COALESCE(SUM(h.hearts), 0) <> r.hearts
        """),
      try report(
        8, "the counts of a poll's options are those of its votes",
        """
        SELECT o.room_id FROM chat_poll_options o LEFT JOIN chat_votes v
          ON v.room_id = o.room_id AND v.number = o.number AND v.choice = o.choice
        GROUP BY o.room_id, o.number, o.choice, o.votes HAVING COUNT(v.user_id) <> o.votes
        """),
      try orphans(),
      try removals(),
    ]
  }

  /// Messages that nobody sees because of moderators, of whom it is asked whether they say so still.
  private func removals() throws -> InvariantCheck {
    var (checked, found) = (0, [String]())
    var last = (room: Identifier(rawValue: .min), number: Int64.min)
    while found.count < InvariantCheck.shownLimit {
      let page: [(room: Identifier, number: Int64, message: SubjectID)] = try reader.rows(
        """
        SELECT room_id, number, id FROM chat_messages WHERE removed_at IS NOT NULL AND (room_id, number) > ($1, $2)
        ORDER BY room_id, number LIMIT $3
        """, last.room, last.number, Self.pageSize
      ) { ($0[0], $0[1], SubjectID(IDKind.message, $0[2])) }
      guard let end = page.last else { break }
      last = (end.room, end.number)
      checked += page.count
      for (_, _, message) in page where try !community.isRemoved(message, in: reader) { found.append(message.text) }
    }
    return InvariantCheck(
      number: 11, statement: "what is removed of a room was decided so, and what was overturned is not removed",
      rowsChecked: checked, violations: found)
  }

  /// Open rooms beside things that are gone: they close at that commit.
  private func orphans() throws -> InvariantCheck {
    let kinds = RoomRow.kindsOfStrangers.map { "\($0.rawValue)" }.joined(separator: ", ")
    var (checked, found, last) = (0, [String](), Identifier(rawValue: .min))
    while found.count < InvariantCheck.shownLimit {
      let page: [(room: Identifier, subject: String)] = try reader.rows(
        """
        SELECT id, subject FROM chat_rooms WHERE kind IN (\(kinds)) AND closed_at IS NULL AND id > $1
        ORDER BY id LIMIT $2
        """, last, Self.pageSize
      ) { ($0[0], $0[1]) }
      guard let end = page.last else { break }
      last = end.room
      checked += page.count
      for (room, text) in page {
        guard let subject = SubjectID(parsing: text), let kind = subjects[subject],
          try kind.facts(of: subject.id, in: reader) == nil
        else { continue }
        found.append(room.text(kind: IDKind.room))
      }
    }
    return InvariantCheck(
      number: 7, statement: "the room beside a thing that is gone is closed", rowsChecked: checked, violations: found)
  }

  private func report(_ number: Int, _ statement: String, _ violations: String) throws -> InvariantCheck {
    InvariantCheck(
      number: number, statement: statement,
      rowsChecked: try reader.first("SELECT COUNT(*) FROM chat_rooms") { $0[0] } ?? 0,
      violations: try reader.rows(violations + " LIMIT \(InvariantCheck.shownLimit)") {
        ($0[0] as Identifier).text(kind: IDKind.room)
      })
  }
}
