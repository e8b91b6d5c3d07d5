/// Has PostgreSQL count tables that have grown many times over since they were last counted.
///
/// Its own autovacuum looks once a minute. Until then a young table's statements run by plans for an empty one, which may
/// go through all of what has come since: a burst in the first minute of an installation, or the first index of a large
/// catalogue, would wait for each other until their locks time out. In the long run this does nothing: autovacuum counts
/// at a tenth of growth. SQLite plans by its indexes alone.
public struct StatisticsUpkeep: Sweep {
  /// Rows that are not worth counting: an index is chosen for them anyhow, or does not matter.
  static let fewestRows = 1_000
  /// How many times a table has to grow. Each count reads a sample of at most 30,000 pages: seconds, where a large table is
  /// not in memory.
  static let growth = 4

  public let name = "statistics"

  public init() {}

  /// One table. Rows that are changed over and over, or come and go, do not make it grow. Whoever may not count a table,
  /// which PostgreSQL answers with a mere warning, is not asked to.
  private static let findSQL = """
    SELECT format('%I.%I', s.schemaname, s.relname) FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
    WHERE s.schemaname = current_schema() AND pg_has_role(c.relowner, 'USAGE')
    AND least(s.n_mod_since_analyze, s.n_live_tup) >= greatest($1, $2 * c.reltuples)
    ORDER BY s.n_mod_since_analyze DESC LIMIT 1
    """

  public func step(_ database: any Database) async throws -> Bool {
    let grown: String? = try await database.read { reader in
      guard reader.dialect == .postgreSQL else { return nil }
      return try reader.first(Self.findSQL, Self.fewestRows, Self.growth) { $0[0] }
    }
    guard let grown else { return false }
    try await database.write { try $0.send("ANALYZE \(grown)") }
    return true
  }
}
