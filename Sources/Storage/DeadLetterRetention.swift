public import Base

/// Lets the dead letters of timers, jobs and the outbox age out that nobody has retried or discarded.
///
/// Each kind is looked at in the order of its ids, which is about that in which they died, so no index by time is paid
/// for: what died long ago behind something younger waits until that is old, too.
public struct DeadLetterRetention: Sweep {
  /// A quarter of a year: whoever is to look after them may be away for a while.
  public static let standard: Duration = .seconds(90 * 86_400)
  /// Letters that are deleted with one transaction. Their payloads are what takes time.
  static let batch = 32

  public let name = "dead letters"
  private let retention: Duration
  private let clock: any WallClock

  /// - Parameter retention: how long they are kept after their last attempt.
  public init(_ retention: Duration = Self.standard, clock: any WallClock) {
    self.retention = retention
    self.clock = clock
  }

  /// Where letters lie whose ids rise with the time of their death.
  private enum Place: Sendable {
    case timers
    case outbox(channel: String)
  }

  private struct Letter: Sendable {
    let id: Int64
    let diedAt: Instant
  }

  public func step(_ database: any Database) async throws -> Bool {
    let latest = clock.now() - retention
    let found = try await database.read { try Self.placeOfOld(diedBy: latest, $0) }
    guard let found else { return false }
    try await database.write { writer in
      let old = try Self.oldest(found, limit: Self.batch, writer).prefix { $0.diedAt <= latest }
      guard let last = old.last?.id else { return }
      switch found {
      // One with a lower number may have come meanwhile, by a transaction that took long.
      case .timers: try writer.send("DELETE FROM octet_dead_timers WHERE id <= $1 AND died_at <= $2", last, latest)
      case .outbox(let channel):
        try writer.send(
          "DELETE FROM octet_dead_outbox WHERE channel = $1 AND id <= $2 AND died_at <= $3", channel, last, latest)
      }
    }
    return true
  }

  private static func placeOfOld(diedBy latest: Instant, _ reader: any Reader) throws -> Place? {
    if let oldest = try oldest(.timers, limit: 1, reader).first, oldest.diedAt <= latest { return .timers }
    // Channels are few: each is one step into the key.
    var channel = ""
    while let next: String = try reader.first(
      "SELECT channel FROM octet_dead_outbox WHERE channel > $1 ORDER BY channel LIMIT 1", channel, make: { $0[0] })
    {
      let place = Place.outbox(channel: next)
      if let oldest = try oldest(place, limit: 1, reader).first, oldest.diedAt <= latest { return place }
      channel = next
    }
    return nil
  }

  private static func oldest(_ place: Place, limit: Int, _ reader: any Reader) throws -> [Letter] {
    switch place {
    case .timers:
      try reader.rows("SELECT id, died_at FROM octet_dead_timers ORDER BY id LIMIT $1", limit) {
        Letter(id: $0[0], diedAt: $0[1])
      }
    case .outbox(let channel):
      try reader.rows(
        "SELECT id, died_at FROM octet_dead_outbox WHERE channel = $1 ORDER BY id LIMIT $2", channel, limit
      ) { Letter(id: $0[0], diedAt: $0[1]) }
    }
  }
}
