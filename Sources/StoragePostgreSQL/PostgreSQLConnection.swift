internal import Base
internal import CPostgreSQL
internal import Storage

/// One session at the server, with its prepared statements. Confined to one thread at a time.
///
/// It works in libpq's pipeline mode, so that what need not be waited for travels with what is: BEGIN with a
/// transaction's first statement, a statement's preparation with its first run, statements whose outcome nobody asks for
/// with the next whose outcome somebody does, the end of a read with whatever is next.
final class PostgreSQLConnection {
  private let handle: OpaquePointer
  private let pipeline: PostgreSQLPipeline
  /// Counts the server's warnings. Memory of its own, because libpq writes to it.
  private let warnings: UnsafeMutablePointer<Int>
  /// Whether statements stay prepared in the session.
  private let keepsStatements: Bool
  private let statements = PreparedStatements()
  /// What opens a transaction and has not been sent yet.
  private var opening: [String] = []
  /// Whether the server has, or is about to get, an open transaction.
  private(set) var isInTransaction = false
  /// Whether something of the transaction was sent.
  private var hasBegun = false
  private var isReadOnly = false

  /// Connects; blocks until it is done or has failed.
  /// - Parameters:
  ///   - isPooled: whether each transaction may find itself in another session.
  ///   - keepsStatements: whether statements stay prepared in the session.
  init(
    _ url: String, _ options: PostgreSQLOptions, isPooled: Bool, keepsStatements: Bool
  ) throws(PostgreSQLFailure) {
    self.keepsStatements = keepsStatements
    let parameters = PostgreSQLParameters(url, options, isPooled: isPooled)
    guard let handle = parameters.connect() else {
      throw PostgreSQLFailure(connection: nil, operation: "connect")
    }
    self.handle = handle
    // Longer than the server takes to give a statement up by itself.
    pipeline = PostgreSQLPipeline(handle, answerTimeout: options.statementTimeout + options.connectionTimeout)
    warnings = .allocate(capacity: 1)
    warnings.initialize(to: 0)
    guard PQstatus(handle) == CONNECTION_OK, PQenterPipelineMode(handle) == 1, PQsetnonblocking(handle, 1) == 0 else {
      throw PostgreSQLFailure(connection: handle, operation: "connect")
    }
    // Notices would go to the standard error otherwise.
    PQsetNoticeReceiver(
      handle,
      { counter, result in
        // PG_DIAG_SEVERITY_NONLOCALIZED is a macro of a character. The counter is `warnings`, which outlives the
        // connection.
        let severity = PQresultErrorField(result, Int32(UInt8(ascii: "V")))
        if severity?.pointee == CChar(UInt8(ascii: "W")) { counter?.assumingMemoryBound(to: Int.self).pointee += 1 }
      }, warnings)
  }

  deinit {
    PQfinish(handle)
    warnings.deallocate()
  }

  /// The connection is of no use any more.
  var isBroken: Bool { pipeline.isBroken || isSuspect }

  /// The server has said something after which the connection is not used.
  private var isSuspect = false

  // MARK: Transactions

  /// Opens a transaction with its first statement. Its isolation is said, as those who set up a role or a database may
  /// have another one for all sessions.
  /// - Parameter settings: `SET LOCAL` statements that go with it.
  func begin(isReadOnly: Bool, settings: [String] = []) {
    precondition(!isInTransaction, "a connection has one transaction at a time")
    self.isReadOnly = isReadOnly
    isInTransaction = true
    hasBegun = false
    let isolation = isReadOnly ? "REPEATABLE READ READ ONLY" : "READ COMMITTED"
    opening = ["BEGIN ISOLATION LEVEL \(isolation)"] + settings
  }

  /// Makes what was written durable, and waits for it. If that fails, the transaction may still have to be rolled back.
  ///
  /// A COMMIT that waits for a standby must not run into the statements' time limit: the server would stop waiting,
  /// call the transaction committed though no standby has it, and say so by a mere warning. So it has no limit, and
  /// after a warning nobody knows the outcome.
  /// - Parameter givesUp: asked now and then whether to wait no longer for an answer, with the time since the last question.
  func commit(givesUp: ((Duration) -> Bool)? = nil) throws(PostgreSQLFailure) {
    guard isInTransaction else { return }
    // Nothing was sent, so there is nothing to be made durable.
    guard hasBegun else {
      isInTransaction = false
      opening = []
      return
    }
    // The server would commit without what must have changed.
    if pipeline.hasConditions { try settle() }
    let before = warnings.pointee
    pipeline.send("SET LOCAL statement_timeout = 0", .control, "commit")
    pipeline.send("COMMIT", .awaited, "commit")
    let result: OpaquePointer
    do {
      result = try pipeline.settle("commit", givesUp: givesUp)
    } catch {
      // If it was not the COMMIT that failed, the server has skipped that.
      isInTransaction = error.role != .awaited
      throw error
    }
    isInTransaction = false
    defer { PQclear(result) }
    guard warnings.pointee == before else {
      isSuspect = true
      throw PostgreSQLFailure(connectionLost: "the server has warned about the commit", operation: "commit")
    }
    // The server answers ROLLBACK to the COMMIT of a failed transaction.
    guard let tag = PQcmdStatus(result), String(cString: tag) == "COMMIT" else {
      throw PostgreSQLFailure(
        sqlState: "25P02", message: "the transaction had failed", operation: "commit", sql: nil)
    }
  }

  /// Ends a transaction without effects; does not wait.
  func rollBack() {
    guard isInTransaction else { return }
    isInTransaction = false
    opening = []
    guard hasBegun, !isBroken else { return }
    // By itself: a statement that fails takes with it what stands before the next synchronisation point.
    pipeline.synchronise()
    pipeline.send("ROLLBACK", .control, "roll back")
    pipeline.synchronise()
  }

  // MARK: Statements

  /// Runs a statement and calls `row` for each row until it returns false.
  /// - Returns: how many rows it changed; nil if it is of a kind that changes none.
  func run(
    _ sql: String, _ arguments: [SQLValue], row: (PostgreSQLRow) throws -> Bool
  ) throws -> Int? {
    try send(sql, arguments, .awaited, mustChange: false)
    let result = try judged { () throws(PostgreSQLFailure) in try pipeline.settle("step", sql) }
    defer { PQclear(result) }
    try forEachRow(of: result, sql, row)
    return PostgreSQLPipeline.changedRows(result)
  }

  /// Runs a statement without waiting for its outcome, unless very much is under way already.
  /// - Parameter mustChange: the transaction fails if the statement changes no row.
  /// - Throws: the failure of an earlier one.
  func queue(_ sql: String, _ arguments: [SQLValue], mustChange: Bool) throws {
    try send(sql, arguments, .queued, mustChange: mustChange)
    if pipeline.queuedStatements >= PostgreSQLLimits.queuedStatements
      || pipeline.queuedBytes >= PostgreSQLLimits.queuedBytes
    {
      try settle()
    } else if pipeline.queuedStatements % PostgreSQLLimits.statementsPerFlush == 0 {
      pipeline.flush()
    }
  }

  /// Waits for the statements whose outcome nobody has asked for.
  func settle() throws(PostgreSQLFailure) {
    guard pipeline.queuedStatements > 0 else { return }
    do {
      PQclear(try pipeline.settle("step"))
    } catch {
      var failure = error
      failure.precedesCommit = true
      throw failure
    }
  }

  /// Runs a statement of the schema, which is used once. It has no deadline here: how long building an index may take is
  /// for the transaction to say.
  func define(_ sql: String) throws(PostgreSQLFailure) {
    open()
    pipeline.send(sql, .awaited, "define")
    PQclear(try judged { () throws(PostgreSQLFailure) in try pipeline.settle("define", sql, hasDeadline: false) })
  }

  /// Runs a statement of the schema that no transaction may hold, with as much time as it takes.
  ///
  /// A pooler may give each transaction another session, but not before it is told that the session is idle, which it is at
  /// a synchronisation point. So there is none between the statement and the transaction that lifts the session's limits.
  /// They are to hold again whatever comes of the statement, and therefore behind one. PgBouncer keeps the session for that,
  /// as it knows by then that there is more to come; another pooler may leave its session without limits.
  func defineAlone(_ sql: String) throws(PostgreSQLFailure) {
    precondition(!isInTransaction, "the statement is to be by itself")
    for statement in ["BEGIN", SessionTimeouts.liftForSession, "COMMIT"] {
      pipeline.send(statement, .control, "define")
    }
    pipeline.send(sql, .awaited, "define")
    pipeline.synchronise(forgets: false)
    pipeline.send(SessionTimeouts.restore, .control, "define")
    PQclear(try pipeline.settle("define", sql, hasDeadline: false))
  }

  /// Sends what opens the transaction, if that is still to be done.
  private func open() {
    for statement in opening { pipeline.send(statement, .control, "begin") }
    opening = []
    hasBegun = hasBegun || isInTransaction
  }

  private func send(_ sql: String, _ arguments: [SQLValue], _ role: PostgreSQLPipeline.Role, mustChange: Bool) throws {
    let text = StatementText(sql: sql)
    let known = statements.find(text)
    guard arguments.count == known.parameterCount else {
      throw StorageError(
        .invalidStatement, operation: "bind",
        message: "\(arguments.count) arguments for \(known.parameterCount) parameters", sql: sql)
    }
    let list = ArgumentList(arguments)
    open()
    if statements.mustDeallocate {
      statements.mustDeallocate = false
      pipeline.send("DEALLOCATE ALL", .control, "prepare") { [statements] in statements.mustDeallocate = true }
    }
    var name = ""
    if keepsStatements, let signature = list.signature {
      if let prepared = known.name(signature) {
        name = prepared
      } else {
        name = statements.add(text, signature)
        pipeline.prepare(name, sql, list, role) { [statements] in statements.remove(text, signature) }
      }
    }
    pipeline.run(name, sql, list, role, mustChange: mustChange)
  }

  private func forEachRow(
    of result: OpaquePointer, _ sql: String, _ row: (PostgreSQLRow) throws -> Bool
  ) throws {
    let count = PQntuples(result)
    if count == 0 { return }
    let cursor = PostgreSQLRow(result, sql: sql)
    while cursor.row < count {
      let goesOn = try row(cursor)
      if let mismatch = cursor.mismatch { throw mismatch }
      if !goesOn { return }
      cursor.row += 1
    }
  }

  /// A write in a read transaction is the program's fault; in any other it tells that the server is a standby.
  private func judged(
    _ body: () throws(PostgreSQLFailure) -> OpaquePointer
  ) throws(PostgreSQLFailure) -> OpaquePointer {
    do {
      return try body()
    } catch {
      guard isReadOnly, error.isReadOnlyTransaction else { throw error }
      var failure = error
      failure.kind = .final
      failure.error.code = .invalidStatement
      throw failure
    }
  }
}
