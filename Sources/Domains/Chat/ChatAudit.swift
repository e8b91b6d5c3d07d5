import Base
import DomainKit
import Storage

/// Looks whether what must always hold does hold. The numbers are those of the platform's page.
struct ChatAudit {
  let reader: any Reader

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
    ]
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
