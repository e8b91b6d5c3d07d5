public import Base

/// Lets idempotency rows age out without a trace in the time of the commits.
///
/// Rows are stored in one of two tables, the newest generation; both are looked into. When the newest generation is
/// as old as the retention, the other one holds only rows that are older still: it is emptied in small transactions in
/// the order of its key (so that each takes whole pages, also when the ids are random), and becomes the newest one.
/// A row lives for at least the retention and for at most twice as long, beside the time that the sweep takes.
///
/// The turn has a time of overlap in which rows go to both tables. So two transactions that serve the same request at
/// the turn always have one table in common, whose key lets only one of them win. It must be longer than any
/// transaction takes; engines end those that hang.
public struct RequestRetention: Sweep {
  /// The shortest retention: a client may repeat a request for a day.
  public static let shortest: Duration = .seconds(86_400)
  /// A week: longer than a weekend without network.
  public static let standard: Duration = .seconds(7 * 86_400)

  /// How long rows go to both tables before a turn.
  static let overlap: Duration = .seconds(600)
  /// Rows that are deleted with one transaction: a few milliseconds of the writer's time at the most.
  static let batch = 256

  public let name = "requests"
  private let retention: Duration
  private let clock: any WallClock

  /// - Parameter retention: how long a repeat is recognised, at least `shortest`.
  public init(_ retention: Duration = Self.standard, clock: any WallClock) {
    precondition(retention >= Self.shortest, "requests are kept for a day at least")
    self.retention = retention
    self.clock = clock
  }

  private struct Generation: Sendable, Equatable {
    let newest: Int
    let isTurning: Bool
    let since: Instant

    /// Whose rows are older.
    var oldest: RequestTable { RequestTable.generation(1 - newest) }
  }

  /// The key of a row.
  private struct Key: Sendable {
    let id: [UInt8]
    let caller: Int64
    let method: Int64
  }

  public func step(_ database: any Database) async throws -> Bool {
    // Most often there is nothing to do, which a reader can tell without the writer's time. Where a batch ends is found
    // by a reader too: so its rows, which nobody has looked at for days, come from the disk before the writer needs them.
    let (seen, end) = try await database.read { reader in
      let seen = try Self.generation(reader, locks: "")
      return (seen, isDue(seen) && !seen.isTurning ? try Self.endOfBatch(of: seen.oldest, reader) : nil)
    }
    guard isDue(seen) else { return false }
    return try await database.write { writer in
      // The row is taken, so that no other node turns while a batch is being deleted.
      guard try Self.generation(writer, locks: writer.dialect.forUpdate) == seen else { return true }
      if seen.since.nanoseconds == 0 {
        // The first generation begins when the sweep first sees it: until then older programs may store rows there.
        try Self.set(seen.newest, isTurning: false, clock.now(), writer)
        return false
      }
      if seen.isTurning {
        try Self.set(1 - seen.newest, isTurning: false, clock.now(), writer)
        return false
      }
      if let end {
        try writer.send(
          "DELETE FROM \(seen.oldest.rawValue) WHERE (request_id, caller, method) <= ($1, $2, $3)",
          end.id, end.caller, end.method)
        return true
      }
      try Self.set(seen.newest, isTurning: true, clock.now(), writer)
      return false
    }
  }

  private func isDue(_ generation: Generation) -> Bool {
    if generation.since.nanoseconds == 0 { return true }
    let age = clock.now() - generation.since
    return age >= (generation.isTurning ? Self.overlap : retention)
  }

  private static func generation(_ reader: any Reader, locks: String) throws -> Generation {
    let row = try reader.first(
      "SELECT newest, is_turning, since FROM octet_request_generation WHERE id = 1" + locks
    ) { Generation(newest: $0[0], isTurning: $0[1], since: $0[2]) }
    guard let row else {
      throw StorageError(.schemaMismatch, operation: "sweep", message: "octet_request_generation is empty")
    }
    return row
  }

  private static func set(_ newest: Int, isTurning: Bool, _ since: Instant, _ writer: any Writer) throws {
    try writer.send(
      "UPDATE octet_request_generation SET newest = $1, is_turning = $2, since = $3 WHERE id = 1",
      newest, isTurning, since)
  }

  /// The last one of the first rows in the order of the key; nil if there are none.
  private static func endOfBatch(of table: RequestTable, _ reader: any Reader) throws -> Key? {
    try reader.first(
      """
      SELECT request_id, caller, method FROM (
        SELECT request_id, caller, method FROM \(table.rawValue) ORDER BY request_id, caller, method LIMIT $1) page
      ORDER BY request_id DESC, caller DESC, method DESC LIMIT 1
      """, batch
    ) { Key(id: $0[0], caller: $0[1], method: $0[2]) }
  }
}
