import Base
import DomainKit
import Storage

/// A row of `queue_events`.
struct EventRow: Sendable {
  let id: Identifier
  let subject: String
  let lobbyFrom: Instant
  let opensAt: Instant
  /// Between two admissions in the long run.
  let step: Duration
  let burst: Int64
  let ticketTime: Duration
  let isOpen: Bool
  let isClosed: Bool
  var waiting: Int64
  let lastSequence: Int64
  var admitted: Int64
  /// The last entry whose turn it was, and its sequence if it was not one of the lobby.
  var called: (entry: Identifier, sequence: Int64)?
  /// When `burst` may be admitted at once again: the token bucket, as the one instant at which it will be full.
  var fullAt: Instant

  private static let columns = """
    id, subject, lobby_from, opens_at, step_ns, burst, ticket_ns, is_open, closed_at, waiting, last_sequence, admitted,
    called_id, called_sequence, full_at
    """

  private init(_ row: any Row) {
    (id, subject, lobbyFrom, opensAt) = (row[0], row[1], row[2], row[3])
    (step, burst, ticketTime) = (.nanoseconds(row[4] as Int64), row[5], .nanoseconds(row[6] as Int64))
    (isOpen, isClosed) = (row[7], !row.isNull(8))
    (waiting, lastSequence, admitted) = (row[9], row[10], row[11])
    let entry: Identifier = row[12]
    called = entry.rawValue == 0 ? nil : (entry, row[13])
    fullAt = row[14]
  }

  static func insert(_ id: Identifier, _ plan: QueuePlan, _ subject: String, in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO queue_events (id, subject, lobby_from, opens_at, step_ns, burst, ticket_ns, cap, is_open, waiting,
        last_sequence, admitted, called_id, called_sequence, full_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, 0, 0, 0, $4)
      """, id, subject, plan.lobbyFrom ?? Instant(nanoseconds: .min), plan.opensAt,
      max(1, 1_000_000_000 / plan.ratePerSecond), plan.burst, plan.ticketTime.inNanoseconds, plan.cap)
  }

  static func find(_ id: Identifier, in reader: any Reader) throws -> EventRow? {
    try reader.first("SELECT \(columns) FROM queue_events WHERE id = $1", id, make: EventRow.init)
  }

  /// The row, which is this transaction's until it ends. Whoever changes who waits holds it first.
  static func hold(_ id: Identifier, in writer: any Writer) throws -> EventRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM queue_events WHERE id = $1", id, make: EventRow.init)
  }

  /// Queues that should be open and are not closed.
  static func live(at now: Instant, in reader: any Reader) throws -> [EventRow] {
    try reader.rows(
      "SELECT \(columns) FROM queue_events WHERE closed_at IS NULL AND opens_at <= $1 ORDER BY opens_at, id", now,
      make: EventRow.init)
  }

  /// Draws the order of the lobby: whoever joins from now on comes later.
  static func open(_ id: Identifier, in writer: any Writer) throws {
    try writer.execute("UPDATE queue_events SET is_open = 1 WHERE id = $1 AND closed_at IS NULL", id)
  }

  static func close(_ id: Identifier, at now: Instant, in writer: any Writer) throws {
    try writer.execute("UPDATE queue_events SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL", id, now)
  }

  /// Counts one more who waits, if there is room.
  /// - Returns: its place in the order of coming, and whether that is in the lobby; nil if there is no room.
  static func addWaiting(
    _ id: Identifier, at now: Instant, in writer: any Writer
  ) throws -> (sequence: Int64, isLobby: Bool)? {
    try writer.first(
      """
      UPDATE queue_events SET waiting = waiting + 1, last_sequence = last_sequence + 1
      WHERE id = $1 AND waiting < cap AND closed_at IS NULL
      RETURNING last_sequence, CASE WHEN is_open = 0 AND opens_at > $2 THEN 1 ELSE 0 END
      """, id, now
    ) { ($0[0], $0[1]) }
  }

  /// Counts one less who waits.
  static func removeWaiting(_ id: Identifier, in writer: any Writer) throws {
    try writer.execute("UPDATE queue_events SET waiting = waiting - 1 WHERE id = $1", id)
  }

  /// Writes what calling entries has changed.
  func update(in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE queue_events SET waiting = $2, admitted = $3, called_id = $4, called_sequence = $5, full_at = $6
      WHERE id = $1
      """, id, waiting, admitted, called?.entry.rawValue ?? 0, called?.sequence ?? 0, fullAt)
  }

  // MARK: The bucket

  /// How many may be admitted now.
  func tokens(at now: Instant) -> Int64 {
    let missing = max(0, (fullAt - now).inNanoseconds)
    let steps = missing / step.inNanoseconds + (missing % step.inNanoseconds > 0 ? 1 : 0)
    return max(0, burst - steps)
  }

  mutating func takeToken(at now: Instant) {
    fullAt = max(fullAt, now) + step
  }
}
