/// How a named lock is held.
public enum LockMode: Sendable {
  /// Beside others who hold it so.
  case shared
  /// Alone.
  case exclusive
}

extension Writer {
  /// Holds a named lock until the transaction ends; waits for those who hold it otherwise. It costs no row. For what
  /// every writer has to know for certain and hardly ever changes: they hold it shared, whoever changes it alone.
  ///
  /// Where there is one writer at a time it always is alone.
  public func lock(_ name: StaticString, _ mode: LockMode) throws {
    guard dialect == .postgreSQL else { return }
    let function = mode == .shared ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock"
    // Of the schema, as a server may have several.
    _ = try exists(
      "SELECT \(function)(hashtextextended(CAST(current_schema() AS TEXT) || CAST($1 AS TEXT), 0))", "/\(name)")
  }
}
