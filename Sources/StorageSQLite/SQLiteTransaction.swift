internal import Storage

/// What a body sees of its connection while it runs. Used for reads as well, where only `Reader` is shown.
final class SQLiteTransaction: EngineTransaction {
  private let connection: SQLiteConnection
  private var isOver = false
  private var failure: StorageError?

  /// What to do after the commit, in order.
  private(set) var actions: [@Sendable () -> Void] = []

  /// Whether the schema was changed, which does not count as changed rows.
  private(set) var hasDefined = false

  init(_ connection: SQLiteConnection) {
    self.connection = connection
  }

  let dialect = SQLDialect.sqlite

  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
    precondition(!isOver, "a reader or writer was used after its body had ended")
    if let failure { throw failure }
    do {
      try connection.forEachRow(sql, arguments, row)
    } catch let error as StorageError {
      failure = error
      throw error
    }
  }

  func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
    try forEachRow(sql, arguments) { _ in true }
    return connection.changes
  }

  func define(_ statement: String) throws {
    hasDefined = true
    _ = try execute(SQLiteSchema.translated(statement), [])
  }

  func afterCommit(_ action: @escaping @Sendable () -> Void) {
    actions.append(action)
  }

  /// Runs a body and ends this transaction object.
  func run<Result>(_ body: (SQLiteTransaction) throws -> Result) throws -> Result {
    defer { isOver = true }
    let result = try body(self)
    // A body that caught a failed statement's error has not undone the failure.
    if let failure { throw failure }
    return result
  }
}
