internal import Base

extension Outbox {
  /// The messages of a channel that were given up, oldest first. `DeadLetterRetention` says for how long they are kept.
  /// - Parameter last: the last one of the page before.
  public func dead(
    _ channel: String, after last: Int64 = .min, limit: Int, in reader: any Reader
  ) throws -> [DeadOutboxEntry] {
    try reader.rows(
      """
      SELECT channel, id, payload, created_at, attempts, error, died_at FROM octet_dead_outbox
      WHERE channel = $1 AND id > $2 ORDER BY id LIMIT $3
      """, channel, last, limit
    ) { row in
      DeadOutboxEntry(
        channel: row[0], id: row[1], payload: row[2], createdAt: row[3], attempts: row[4], error: row[5],
        diedAt: row[6])
    }
  }

  /// Sends a dead letter once more, as a new message at the end of its channel: what came after it has left already.
  /// - Returns: whether there was one.
  @discardableResult
  public func retry(_ channel: String, id: Int64, in writer: any Writer) throws -> Bool {
    let payload: [UInt8]? = try writer.firstForUpdate(
      "SELECT payload FROM octet_dead_outbox WHERE channel = $1 AND id = $2", channel, id
    ) { $0[0] }
    guard let payload else { return false }
    try discard(channel, id: id, in: writer)
    try append(channel, payload, in: writer)
    return true
  }

  /// Forgets a dead letter.
  /// - Returns: whether there was one.
  @discardableResult
  public func discard(_ channel: String, id: Int64, in writer: any Writer) throws -> Bool {
    try writer.execute("DELETE FROM octet_dead_outbox WHERE channel = $1 AND id = $2", channel, id) > 0
  }

  static func bury(
    _ entry: OutboxEntry, _ channel: String, _ error: String, _ now: Instant, _ writer: any Writer
  ) throws {
    try writer.send("DELETE FROM octet_outbox WHERE channel = $1 AND id = $2", channel, entry.id)
    try writer.send(
      """
      INSERT INTO octet_dead_outbox (channel, id, payload, created_at, attempts, error, died_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      """, channel, entry.id, entry.payload, entry.createdAt, entry.attempt, error, now)
  }
}
