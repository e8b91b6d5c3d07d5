internal import Storage

/// Builds indexes while others write, which the server does outside of transactions only.
extension PostgreSQLSession {
  /// Builds an index on a connection of its own, with as much time as it takes: the server waits for all transactions that
  /// have written to the table before, and for all snapshots that are older than the index.
  func build(_ index: NewIndex) throws {
    let session = another()
    defer { session.disconnect() }
    let connection = try session.connected()
    // A node that is gone may have left a server process that still builds the index, and does not know: this waits for it.
    connection.begin(isReadOnly: false, settings: [SessionTimeouts.lift])
    try connection.define("LOCK TABLE \(index.table) IN SHARE UPDATE EXCLUSIVE MODE")
    let isValid = try isValid(index.name, connection)
    try connection.commit()
    switch isValid {
    case true?: return
    case false?: try connection.defineAlone("DROP INDEX CONCURRENTLY \(index.name)")
    case nil: break
    }
    try connection.defineAlone(
      PostgreSQLSchema.translated("CREATE INDEX CONCURRENTLY \(index.name) ON \(index.table) \(index.definition)"))
  }

  /// Whether an index is whole; nil if there is none of this name.
  private func isValid(_ name: String, _ connection: PostgreSQLConnection) throws -> Bool? {
    let sql = """
      SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      WHERE c.relname = $1 AND c.relnamespace = CAST(current_schema() AS regnamespace)
      """
    var isValid: Bool?
    _ = try connection.run(sql, [.text(name)]) { row in
      isValid = row.integer(0) != 0
      return false
    }
    return isValid
  }
}
