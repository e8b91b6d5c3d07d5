import Base
import DomainKit
import NotifyAPI
import Storage

/// A row of `notify_outside`: a letter to somebody without an account.
struct OutsideRow: Sendable {
  let key: OutsideKey
  let kind: String
  let object: String
  let sealed: [UInt8]
  let title: String
  let text: String
  let tries: Int64

  /// One that is not settled; nil if there is none.
  static func waiting(_ key: OutsideKey, in reader: any Reader) throws -> OutsideRow? {
    try reader.first(
      """
      SELECT kind, object, sealed, title, text, tries FROM notify_outside
      WHERE lookup = $1 AND id = $2 AND settled_at IS NULL
      """, key.lookup, key.id
    ) { row in
      OutsideRow(
        key: key, kind: row[0], object: row[1], sealed: row[2], title: row[3], text: row[4], tries: row[5])
    }
  }

  /// Ends a letter, and forgets to whom it went and what it said.
  static func settle(_ key: OutsideKey, _ state: DeliveryState, at now: Instant, in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE notify_outside SET state = $3, settled_at = $4, sealed = $5, title = '', text = ''
      WHERE lookup = $1 AND id = $2 AND settled_at IS NULL
      """, key.lookup, key.id, state.rawValue, now, [UInt8]())
  }
}

/// Which letter a job is about.
struct OutsideKey: Sendable, Equatable {
  let lookup: [UInt8]
  let id: Identifier

  init(lookup: [UInt8], id: Identifier) {
    self.lookup = lookup
    self.id = id
  }

  /// Nil for what is no job's key.
  init?(_ text: String) {
    let words = text.split(separator: "/")
    guard words.count == 2, let lookup = Base64.url.decode(String(words[0])), let id = Int64(words[1]) else {
      return nil
    }
    self.init(lookup: lookup, id: Identifier(rawValue: id))
  }

  /// The key of the job.
  var text: String { "\(Base64.url.encode(lookup))/\(id.rawValue)" }
}

/// Lets letters to people without an account age out, and addresses that have not stopped any.
struct OutsideRetention: Sweep {
  let name = "outside letters"
  let limits: NotifyLimits
  let clock: any WallClock

  func step(_ database: any Database) async throws -> Bool {
    let now = clock.now()
    let (latest, today) = (now - limits.retention, now.dayNumber)
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM notify_outside WHERE created_at <= $1 LIMIT 1", latest)
        || reader.exists("SELECT 1 FROM notify_addresses WHERE mail_day < $1 AND stopped_at IS NULL LIMIT 1", today)
    }
    guard isDue else { return false }
    return try await database.write { [limits] writer in
      let old: [(lookup: [UInt8], id: Identifier)] = try writer.rows(
        "SELECT lookup, id FROM notify_outside WHERE created_at <= $1 ORDER BY created_at LIMIT $2", latest,
        limits.sweptAtOnce
      ) { ($0[0], $0[1]) }
      for (lookup, id) in old {
        try writer.execute("DELETE FROM notify_outside WHERE lookup = $1 AND id = $2", lookup, id)
      }
      let addresses = try writer.execute(
        """
        DELETE FROM notify_addresses WHERE stopped_at IS NULL AND lookup IN (
          SELECT lookup FROM notify_addresses WHERE mail_day < $1 AND stopped_at IS NULL LIMIT $2)
        """, today, limits.sweptAtOnce)
      return !old.isEmpty || addresses > 0
    }
  }
}
