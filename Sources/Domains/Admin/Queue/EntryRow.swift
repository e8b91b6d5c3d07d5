import Base
import DomainKit
import Storage

/// A row of `queue_entries`.
struct EntryRow: Sendable {
  enum State: Int64, Sendable {
    case waiting = 1
    case admitted = 2
    case spent = 3
    case expired = 4
    case abandoned = 5
    case left = 6
  }

  let place: QueuePlace
  /// Nil for somebody who was erased.
  let user: Identifier?
  let state: State
  let createdAt: Instant
  /// Nil for one that was not admitted.
  let ticketExpiresAt: Instant?

  private static let columns =
    "event_id, id, user_id, state, is_lobby, sequence, created_at, ticket_expires_at"
  /// Entries that are looked for by id with one statement.
  private static let soughtAtOnce = 64

  private init(_ row: any Row) {
    place = QueuePlace(event: row[0], entry: row[1], isLobby: row[4], sequence: row[5])
    user = row[2]
    guard let state = State(rawValue: row[3]) else { preconditionFailure("no state of an entry") }
    self.state = state
    (createdAt, ticketExpiresAt) = (row[6], row[7])
  }

  // MARK: Reading

  /// The one of a user that lives, as far as its row says.
  static func alive(_ event: Identifier, of user: Identifier, in reader: any Reader) throws -> EntryRow? {
    try reader.first(
      "SELECT \(columns) FROM queue_entries WHERE event_id = $1 AND user_id = $2 AND state <= 2", event, user,
      make: EntryRow.init)
  }

  static func find(_ event: Identifier, _ id: Identifier, in reader: any Reader) throws -> EntryRow? {
    try reader.first(
      "SELECT \(columns) FROM queue_entries WHERE event_id = $1 AND id = $2", event, id, make: EntryRow.init)
  }

  /// Those of `ids` that there are, by id.
  static func find(
    _ event: Identifier, _ ids: some Collection<Identifier>, in reader: any Reader
  ) throws -> [Identifier: EntryRow] {
    var found: [Identifier: EntryRow] = [:]
    for ids in chunks(ids) {
      try reader.query(
        "SELECT \(columns) FROM queue_entries WHERE event_id = $1 AND id IN (\(places))", [event.sqlValue] + ids
      ) { row in
        let entry = EntryRow(row)
        found[entry.place.entry] = entry
      }
    }
    return found
  }

  /// When entries were followed last, as far as anybody ever did, by entry.
  static func lastSeen(
    _ event: Identifier, _ ids: some Collection<Identifier>, in reader: any Reader
  ) throws -> [Identifier: Instant] {
    var seen: [Identifier: Instant] = [:]
    for ids in chunks(ids) {
      try reader.query(
        """
        SELECT p.entry_id, MAX(COALESCE(p.unseen_since, r.beat_at))
        FROM queue_presence p JOIN queue_processes r ON r.id = p.process
        WHERE p.event_id = $1 AND p.entry_id IN (\(places)) GROUP BY p.entry_id
        """, [event.sqlValue] + ids
      ) { seen[$0[0]] = $0[1] }
    }
    return seen
  }

  /// As many places in each statement, so that it stays prepared.
  private static let places = (2...soughtAtOnce + 1).map { "$\($0)" }.joined(separator: ", ")

  /// Arguments for `places`, each lot filled up with its first.
  private static func chunks(_ ids: some Collection<Identifier>) -> [[SQLValue]] {
    let all = ids.map(\.sqlValue)
    return stride(from: 0, to: all.count, by: soughtAtOnce).map { start in
      let some = all[start..<min(start + soughtAtOnce, all.count)]
      return some + Array(repeating: all[start], count: soughtAtOnce - some.count)
    }
  }

  /// Places of the lobby that wait, by id.
  static func lobby(
    _ event: Identifier, after id: Identifier, limit: Int, in reader: any Reader
  ) throws -> [QueuePlace] {
    try reader.rows(
      """
      SELECT id, sequence FROM queue_entries
      WHERE event_id = $1 AND id > $2 AND state = 1 AND is_lobby = 1 ORDER BY id LIMIT $3
      """, event, id, limit
    ) { QueuePlace(event: event, entry: $0[0], isLobby: true, sequence: $0[1]) }
  }

  /// Places that were taken later than the lobby's and wait, in the order of coming.
  static func later(
    _ event: Identifier, after sequence: Int64, limit: Int, in reader: any Reader
  ) throws -> [QueuePlace] {
    try reader.rows(
      """
      SELECT id, sequence FROM queue_entries
      WHERE event_id = $1 AND sequence > $2 AND state = 1 AND is_lobby = 0 ORDER BY sequence LIMIT $3
      """, event, sequence, limit
    ) { QueuePlace(event: event, entry: $0[0], isLobby: false, sequence: $0[1]) }
  }

  static func admissions(
    _ event: Identifier, after number: Int64, limit: Int, in reader: any Reader
  ) throws -> [QueueAdmission] {
    try reader.rows(
      """
      SELECT id, is_lobby, sequence, number FROM queue_entries
      WHERE event_id = $1 AND number > $2 ORDER BY number LIMIT $3
      """, event, number, limit
    ) { row in
      QueueAdmission(
        number: row[3], place: QueuePlace(event: event, entry: row[0], isLobby: row[1], sequence: row[2]))
    }
  }

  // MARK: Writing

  /// - Returns: false if the user has one that lives.
  static func insert(_ place: QueuePlace, of user: Identifier, at now: Instant, in writer: any Writer) throws -> Bool {
    try writer.execute(
      """
      INSERT INTO queue_entries (event_id, id, user_id, state, is_lobby, sequence, created_at)
      VALUES ($1, $2, $3, 1, $4, $5, $6) ON CONFLICT DO NOTHING
      """, place.event, place.entry, user, place.isLobby, place.sequence, now) == 1
  }

  /// - Returns: whether it was in that state.
  static func change(
    _ event: Identifier, _ id: Identifier, from old: State, to new: State, in writer: any Writer
  ) throws -> Bool {
    try writer.execute(
      "UPDATE queue_entries SET state = $4 WHERE event_id = $1 AND id = $2 AND state = $3", event, id, old.rawValue,
      new.rawValue) == 1
  }

  /// - Returns: false if it does not wait any more.
  static func admit(
    _ event: Identifier, _ id: Identifier, number: Int64, until: Instant, in writer: any Writer
  ) throws -> Bool {
    try writer.execute(
      """
      UPDATE queue_entries SET state = 2, number = $3, ticket_expires_at = $4
      WHERE event_id = $1 AND id = $2 AND state = 1
      """, event, id, number, until) == 1
  }

  /// - Returns: false if there is no ticket of that user that is good.
  static func spend(
    _ event: Identifier, _ id: Identifier, by user: Identifier, at now: Instant, in writer: any Writer
  ) throws -> Bool {
    try writer.execute(
      """
      UPDATE queue_entries SET state = 3
      WHERE event_id = $1 AND id = $2 AND user_id = $3 AND state = 2 AND ticket_expires_at > $4
      """, event, id, user, now) == 1
  }

  /// Ends those whose tickets' time is over.
  static func expire(_ event: Identifier, at now: Instant, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE queue_entries SET state = 4 WHERE event_id = $1 AND state = 2 AND ticket_expires_at <= $2", event, now)
  }

  static func hasExpired(_ event: Identifier, at now: Instant, in reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM queue_entries WHERE event_id = $1 AND state = 2 AND ticket_expires_at <= $2 LIMIT 1", event, now)
  }
}
