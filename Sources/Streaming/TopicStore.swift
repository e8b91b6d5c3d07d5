public import Storage

/// The tables of lossless topics.
public enum TopicStore {
  /// To be applied after those of the storage layer.
  public static let migrations: [Migration] = [
    Migration(
      "streaming", 1, "lossless topics",
      sql: """
        -- One row per topic gives the sequence, so topics do not wait for each other.
        CREATE TABLE octet_topics (
          topic TEXT NOT NULL,
          last_sequence INTEGER NOT NULL,
          PRIMARY KEY (topic)
        ) WITHOUT ROWID;

        CREATE TABLE octet_topic_events (
          topic TEXT NOT NULL,
          sequence INTEGER NOT NULL,
          payload BLOB NOT NULL,
          published_at INTEGER NOT NULL,
          PRIMARY KEY (topic, sequence)
        ) WITHOUT ROWID;
        """)
  ]

  /// Takes the topic's next number; whoever does so next waits for this transaction.
  static func takeSequence(_ topic: Topic, _ writer: any Writer) throws -> UInt64 {
    let sequence: UInt64? = try writer.first(
      """
      INSERT INTO octet_topics (topic, last_sequence) VALUES ($1, 1)
      ON CONFLICT (topic) DO UPDATE SET last_sequence = octet_topics.last_sequence + 1 RETURNING last_sequence
      """, topic.name
    ) { $0[0] }
    guard let sequence else { preconditionFailure("an upsert returns its row") }
    return sequence
  }

  /// The number of the newest event, 0 if there was none.
  static func lastSequence(_ topic: Topic, _ reader: any Reader) throws -> UInt64 {
    try reader.first("SELECT last_sequence FROM octet_topics WHERE topic = $1", topic.name) { $0[0] } ?? 0
  }

  /// The oldest events after `sequence`, at most `limit`.
  static func events(
    _ topic: Topic, after sequence: UInt64, limit: Int, _ reader: any Reader
  ) throws -> [TopicEvent] {
    try reader.rows(
      """
      SELECT sequence, payload FROM octet_topic_events WHERE topic = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
      """, topic.name, sequence, limit
    ) { TopicEvent(sequence: $0[0], payload: $0[1]) }
  }
}
