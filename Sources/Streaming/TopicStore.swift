public import Storage

/// The tables of lossless topics.
public enum TopicStore {
  /// To be applied after those of the storage layer.
  public static let migrations: [Migration] = [
    Migration(
      "streaming", 1, "lossless topics",
      sql: """
        -- One row per topic gives the sequence, so topics do not wait for each other.
        -- distributed by topic
        CREATE TABLE octet_topics (
          topic TEXT NOT NULL,
          last_sequence INTEGER NOT NULL,
          PRIMARY KEY (topic)
        ) WITHOUT ROWID;

        -- distributed by topic
        CREATE TABLE octet_topic_events (
          topic TEXT NOT NULL,
          sequence INTEGER NOT NULL,
          payload BLOB NOT NULL,
          published_at INTEGER NOT NULL,
          PRIMARY KEY (topic, sequence)
        ) WITHOUT ROWID;
        """),
    Migration(
      "streaming", 2, "topics that ended are removed",
      sql: """
        -- born is the incarnation's number at the topic's first event; ended_at is null while the topic goes on.
        ALTER TABLE octet_topics ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE octet_topics ADD COLUMN ended_at INTEGER;
        CREATE INDEX octet_topics_ended ON octet_topics (ended_at) WHERE ended_at IS NOT NULL;

        -- One row. A topic is removed only in a later incarnation than the one it was born in, so that another topic
        -- of its name is told from it.
        -- reference: one row that every publisher reads
        CREATE TABLE octet_topic_incarnation (
          id INTEGER PRIMARY KEY,
          number INTEGER NOT NULL,
          since INTEGER NOT NULL
        );
        INSERT INTO octet_topic_incarnation (id, number, since) VALUES (1, 0, 0);
        """),
  ]

  /// Takes the topic's next number; whoever does so next waits for this transaction.
  static func takeSequence(_ topic: Topic, _ writer: any Writer) throws -> TopicPosition {
    let position: TopicPosition? = try writer.first(
      """
      INSERT INTO octet_topics (topic, last_sequence, born)
      VALUES ($1, 1, (SELECT number FROM octet_topic_incarnation WHERE id = 1))
      ON CONFLICT (topic) DO UPDATE SET last_sequence = octet_topics.last_sequence + 1, ended_at = NULL
      RETURNING last_sequence, born
      """, topic.name
    ) { TopicPosition(sequence: $0[0], born: $0[1]) }
    guard let position else { preconditionFailure("an upsert returns its row") }
    return position
  }

  /// The place of the newest event; number 0 if there was none.
  static func last(_ topic: Topic, _ reader: any Reader) throws -> TopicPosition {
    let position: TopicPosition? = try reader.first(
      """
      SELECT COALESCE(t.last_sequence, 0), COALESCE(t.born, i.number) FROM octet_topic_incarnation i
      LEFT JOIN octet_topics t ON t.topic = $1 WHERE i.id = 1
      """, topic.name
    ) { TopicPosition(sequence: $0[0], born: $0[1]) }
    guard let position else {
      throw StorageError(.schemaMismatch, operation: "read a topic", message: "octet_topic_incarnation is empty")
    }
    return position
  }

  /// How far topics are; those without an event are not in the answer.
  /// - Parameter count: at least as many as there are topics. The statement has as many places, so that it stays
  ///   prepared.
  static func positions(
    _ topics: [Topic], upTo count: Int, _ reader: any Reader
  ) throws -> [Topic: TopicPosition] {
    guard let last = topics.last else { return [:] }
    let names = topics + Array(repeating: last, count: count - topics.count)
    let places = (1...count).map { "$\($0)" }.joined(separator: ", ")
    var positions: [Topic: TopicPosition] = [:]
    try reader.forEachRow(
      "SELECT topic, last_sequence, born FROM octet_topics WHERE topic IN (\(places))",
      names.map { .text($0.name) }
    ) { row in
      positions[Topic(named: row[0])] = TopicPosition(sequence: row[1], born: row[2])
      return true
    }
    return positions
  }

  /// Events that follow one another, and the place of the newest one there has been when they were read.
  struct Page: Sendable {
    let events: [TopicEvent]
    let last: TopicPosition
  }

  /// The oldest events after `sequence`, at most `limit`.
  static func page(_ topic: Topic, after sequence: UInt64, limit: Int, _ reader: any Reader) throws -> Page {
    let last = try last(topic, reader)
    let events: [TopicEvent] = try reader.rows(
      """
      SELECT sequence, payload FROM octet_topic_events WHERE topic = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
      """, topic.name, sequence, limit
    ) { TopicEvent(TopicPosition(sequence: $0[0], born: last.born), payload: $0[1]) }
    return Page(events: events, last: last)
  }
}
