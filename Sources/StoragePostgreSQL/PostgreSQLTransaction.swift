internal import Storage

/// What a body sees of its connection while it runs. Used for reads as well, where only `Reader` is shown.
final class PostgreSQLTransaction: EngineTransaction, IndexBuilding {
  private let connection: PostgreSQLConnection
  /// Of the connection, if nobody else waits for the transaction: only then it may do what takes long.
  private let session: PostgreSQLSession?
  /// Whether every statement's outcome is waited for, so that a failure shows where it happens.
  private let waits: Bool
  private var isOver = false

  /// The statement that failed, and with it the transaction.
  private(set) var failure: PostgreSQLFailure?

  /// What to do after the commit, in order.
  private(set) var actions: [@Sendable () -> Void] = []

  /// Whether there is anything to be taken back.
  private(set) var hasWritten = false

  init(_ connection: PostgreSQLConnection, of session: PostgreSQLSession? = nil, waits: Bool = false) {
    self.connection = connection
    self.session = session
    self.waits = waits
  }

  let dialect = SQLDialect.postgreSQL

  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
    _ = try run(sql, arguments, row)
  }

  func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
    try run(sql, arguments) { _ in true } ?? 0
  }

  func send(_ sql: String, _ arguments: [SQLValue], mustChange: Bool) throws -> Bool {
    if waits { return try execute(sql, arguments) > 0 }
    hasWritten = true
    try guarded { try connection.queue(sql, arguments, mustChange: mustChange) }
    return true
  }

  /// Nothing of a lock is to be taken back, so that a refusal after it does not undo what others of a batch have done.
  func lock(_ name: StaticString, _ number: Int64, _ mode: LockMode) throws {
    let sql = mode == .shared ? Self.lockShared : Self.lockAlone
    let arguments = [SQLValue.text("/\(name)"), .integer(number)]
    guard waits else { return try guarded { try connection.queue(sql, arguments, mustChange: false) } }
    try forEachRow(sql, arguments) { _ in true }
  }

  private static let lockShared = lockSQL("pg_advisory_xact_lock_shared", "CAST($1 AS TEXT)", "$2")
  private static let lockAlone = lockSQL("pg_advisory_xact_lock", "CAST($1 AS TEXT)", "$2")

  /// Has the transactions of all processes that begin with it run one after the other. No lock of a body has its name.
  static let takeTurnOfNodes = lockSQL("pg_advisory_xact_lock", "' turn'", "0")

  /// Of the schema, as a server may have several.
  private static func lockSQL(_ function: String, _ name: String, _ number: String) -> String {
    "SELECT \(function)(hashtextextended(CAST(current_schema() AS TEXT) || \(name), \(number)))"
  }

  func define(_ statement: String) throws {
    hasWritten = true
    try guarded {
      guard session != nil else { throw PostgreSQLFailure.sharedTransaction }
      try connection.define(PostgreSQLSchema.translated(statement))
    }
  }

  func buildIndex(_ index: NewIndex) throws {
    try guarded {
      guard let session else { throw PostgreSQLFailure.sharedTransaction }
      // This session says nothing until the index is there. That this is its last statement matters, too: the server keeps
      // the snapshot of a query until the session's next statement, and would wait for it.
      try connection.define("SET LOCAL idle_in_transaction_session_timeout = 0")
      try session.build(index)
    }
  }

  func afterCommit(_ action: @escaping @Sendable () -> Void) {
    actions.append(action)
  }

  func run<Result>(_ body: (PostgreSQLTransaction) throws -> Result) throws -> Result {
    defer { isOver = true }
    let result = try body(self)
    // A body that caught a failed statement's error has not undone the failure.
    if let failure { throw failure.error }
    return result
  }

  private func run(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws -> Int? {
    try guarded {
      let changed = try connection.run(sql, arguments, row: row)
      if let changed, changed > 0 { hasWritten = true }
      return changed
    }
  }

  /// Runs a statement unless one has failed already.
  private func guarded<Result>(_ statement: () throws -> Result) throws -> Result {
    precondition(!isOver, "a reader or writer was used after its body had ended")
    if let failure { throw failure.error }
    do {
      return try statement()
    } catch let error as PostgreSQLFailure {
      failure = error
      throw error.error
    } catch let error as StorageError {
      // Of a statement that was not sent, or a column that was read as another type: it counts as failed too.
      failure = failure ?? PostgreSQLFailure(final: error)
      throw error
    }
  }
}
