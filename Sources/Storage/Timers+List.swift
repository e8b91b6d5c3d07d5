public import Base

/// A timer or job that lives, as those see it who look after all of them.
public struct LiveTimer: Sendable, Equatable {
  public let kind: String
  public let key: String
  public let scheduledFor: Instant

  /// When it is tried next; while a worker has it, when that one counts as lost.
  public let due: Instant

  /// How many attempts were begun.
  public let attempts: Int

  /// Whether a worker holds a lease of it.
  public let isRunning: Bool

  /// What the last failed attempt failed with, for people.
  public let error: String?

  /// Rises with each lease of this kind and key.
  public let fence: Int64
}

extension Timers {
  /// The timers and jobs that live, by kind and key.
  /// - Parameters:
  ///   - kind: those of one kind; nil for all.
  ///   - last: the last one of the page before.
  public func live(
    _ kind: String? = nil, after last: (kind: String, key: String)? = nil, limit: Int, in reader: any Reader
  ) throws -> [LiveTimer] {
    let now = clock.now()
    // No kind and no key is empty.
    if let kind {
      return try reader.rows(
        "\(LiveTimer.query) WHERE kind = $1 AND key > $2 ORDER BY key LIMIT $3", kind, last?.key ?? "", limit
      ) { LiveTimer($0, now) }
    }
    return try reader.rows(
      "\(LiveTimer.query) WHERE (kind, key) > ($1, $2) ORDER BY kind, key LIMIT $3", last?.kind ?? "",
      last?.key ?? "", limit
    ) { LiveTimer($0, now) }
  }

  /// One that lives; nil if there is none.
  public func live(_ kind: String, _ key: String, in reader: any Reader) throws -> LiveTimer? {
    let now = clock.now()
    return try reader.first("\(LiveTimer.query) WHERE kind = $1 AND key = $2", kind, key) { LiveTimer($0, now) }
  }
}

extension LiveTimer {
  fileprivate static let query =
    "SELECT kind, key, scheduled_for, due, attempts, is_leased, error, fence FROM octet_timers"

  fileprivate init(_ row: any Row, _ now: Instant) {
    let due: Instant = row[3]
    self.init(
      kind: row[0], key: row[1], scheduledFor: row[2], due: due, attempts: row[4], isRunning: row[5] && due > now,
      error: row[6], fence: row[7])
  }
}
