public import Base

/// Which course of events a database has taken. A restore takes it back to an earlier moment, from which other things
/// happen than did before, and numbers are given a second time: of a topic's events, say. So it begins another history,
/// by which what a client or a process has kept of the one before is told from what is of this one.
public struct DatabaseHistory: Sendable, Equatable {
  /// Drawn at random, so that two restores of one copy begin two histories; 0 until the first restore.
  public let number: UInt64

  private static let name = "history"
  private static let length = 8

  /// That of a database that was never restored.
  public static let first = DatabaseHistory(number: 0)

  /// - Parameter number: of one that is known already.
  public init(number: UInt64) {
    self.number = number
  }

  /// The history that the database is in. It has the tables of `NodeRegistry`.
  public static func current(in reader: any Reader) throws -> DatabaseHistory {
    let content = try NodeRegistry.agreed(on: name, in: reader)
    return DatabaseHistory(number: (content ?? []).reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// Begins another history in the caller's transaction: after the database was put back by other means than
  /// `octetd restore`.
  public static func begin(in writer: any Writer, random: any RandomSource) throws {
    let renewal = renewal(random: random)
    try writer.execute(renewal.sql, renewal.arguments)
  }

  /// The statement that begins another history, for an engine that changes a copy before it is anybody's database.
  /// `table` must be there; without it no history was ever known.
  public static func renewal(random: any RandomSource) -> (table: String, sql: String, arguments: [SQLValue]) {
    (
      "octet_installation",
      """
      INSERT INTO octet_installation (name, content) VALUES ($1, $2)
      ON CONFLICT (name) DO UPDATE SET content = excluded.content
      """, [.text(name), .blob(random.bytes(length))]
    )
  }
}
