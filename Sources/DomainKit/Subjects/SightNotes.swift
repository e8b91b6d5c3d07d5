public import Base
public import Storage

/// Notes for other nodes of what may have become hidden. A note says when that was last, and nothing else.
struct SightNotes: Sendable {
  let clock: any WallClock

  func note(_ thing: SubjectID, in writer: any Writer) throws {
    // Of two changes at one instant the second has to be told from the first.
    try writer.send(
      """
      INSERT INTO sight_notes (subject_id, subject_kind, changed_at) VALUES ($1, $2, $3)
      ON CONFLICT (subject_id, subject_kind) DO UPDATE SET changed_at =
        CASE WHEN sight_notes.changed_at < excluded.changed_at THEN excluded.changed_at
        ELSE sight_notes.changed_at + 1 END
      """, thing.id, thing.kind, clock.now())
  }

  /// When things have changed last, of those that have since an instant.
  static func since(_ instant: Instant, in reader: any Reader) throws -> [SubjectID: Instant] {
    let notes: [(SubjectID, Instant)] = try reader.rows(
      "SELECT subject_kind, subject_id, changed_at FROM sight_notes WHERE changed_at >= $1", instant
    ) { (SubjectID($0[0], $0[1]), $0[2]) }
    return Dictionary(uniqueKeysWithValues: notes)
  }
}

/// Wakes the streams of this node about what other nodes have changed, though their word of it may have been lost: one read
/// for all streams.
///
/// A note can be read only after its transaction has committed, and says an instant before that. So each look reads again
/// what is younger than the last look by as much as notes are late by, and knows what it has read before. Few are late by
/// more than a moment, while a minute's notes are tens of thousands when hundreds of things become hidden in a second: most
/// looks read back a moment, and one every few seconds reads back far.
///
///     var changes = SightCatchUp(kit)
///     while !loop.isStopping {
///       await others.look(for: "what was hidden") { try await changes.look() }
///       await loop.pause(atMost: .seconds(1))
///     }
public struct SightCatchUp: Sendable {
  /// How much later than it says a change may commit, by another node's clock and with all that its transaction waits for.
  static let lateness = Duration.seconds(60)

  /// The same for one whose transaction waits for nothing much, by a clock that is kept right. It is found by the next look.
  static let usualLateness = Duration.seconds(2)

  /// How often a look finds those that were later than usual: with 500 notes a second it reads 30,000.
  static let farLookInterval = Duration.seconds(3)

  private let kit: Kit
  private var lookedAt: Instant
  private var lookedFarAt: Instant
  /// What the last look that read back far has read, and those after it.
  private var known: [SubjectID: Instant] = [:]

  public init(_ kit: Kit) {
    self.kit = kit
    lookedAt = kit.clock.now()
    lookedFarAt = lookedAt
  }

  /// Wakes the streams about what has changed since the last look that succeeded.
  public mutating func look() async throws {
    let now = kit.clock.now()
    // Also if the clock was set back.
    let isFar = !(lookedFarAt..<lookedFarAt + Self.farLookInterval).contains(now)
    let since = isFar ? lookedFarAt - Self.lateness : lookedAt - Self.usualLateness
    let notes = try await kit.database.read { try SightNotes.since(since, in: $0) }
    for (thing, changedAt) in notes where known[thing] != changedAt { kit.sights.wake(thing) }
    lookedAt = now
    if isFar {
      (lookedFarAt, known) = (now, notes)
    } else {
      known.merge(notes) { _, new in new }
    }
  }
}

extension Sights {
  /// The table of the notes.
  public static let migrations = [
    Migration(
      "sights", 1, "what may have become hidden, for other nodes",
      sql: """
        -- distributed by subject_id
        CREATE TABLE sight_notes (
          subject_id INTEGER NOT NULL, subject_kind TEXT NOT NULL, changed_at INTEGER NOT NULL,
          PRIMARY KEY (subject_id, subject_kind)) WITHOUT ROWID;
        CREATE INDEX sight_notes_by_time ON sight_notes (changed_at);
        """)
  ]
}

/// Removes notes that every node has seen by now.
public struct SightNoteRetention: Sweep {
  private let clock: any WallClock

  /// No node that serves is so far behind.
  private static let age = Duration.seconds(86_400)
  private static let atOnce = 512

  public init(clock: any WallClock) {
    self.clock = clock
  }

  public var name: String { "sights" }

  public func step(_ database: any Database) async throws -> Bool {
    let before = clock.now() - Self.age
    let old: [Instant] = try await database.read { reader in
      try reader.rows(
        "SELECT changed_at FROM sight_notes WHERE changed_at < $1 ORDER BY changed_at LIMIT $2", before, Self.atOnce
      ) { $0[0] }
    }
    guard let end = old.last else { return false }
    _ = try await database.write { try $0.execute("DELETE FROM sight_notes WHERE changed_at <= $1", end) }
    return old.count == Self.atOnce
  }
}
