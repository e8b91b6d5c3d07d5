internal import Base
internal import CPostgreSQL
internal import Glibc
internal import Storage

/// One session at the server, with its prepared statements. Confined to one thread at a time.
///
/// It works in libpq's pipeline mode, so that what need not be waited for travels with what is: BEGIN with a
/// transaction's first statement, a statement's preparation with its first run, the end of a read with whatever is next.
final class PostgreSQLConnection {
  private struct StatementKey: Hashable {
    var sql: String
    /// The types of the arguments, as `ArgumentList.signature` packs them.
    var signature: UInt64
  }

  private let handle: OpaquePointer
  /// How long an answer may take: longer than the server takes to give a statement up by itself.
  private let answerTimeout: Duration
  /// Counts the server's warnings. Memory of its own, because libpq writes to it.
  private let warnings: UnsafeMutablePointer<Int>
  /// Whether each transaction may find itself in another session.
  let isPooled: Bool
  private var prepared: [StatementKey: String] = [:]
  private var parameterCounts: [String: Int] = [:]
  /// Synchronisation points that were sent and whose results nobody has read.
  private var unread = 0
  /// What opens a transaction and has not been sent yet.
  private var opening: [String] = []
  /// Whether the server has, or is about to get, an open transaction.
  private(set) var isInTransaction = false
  private var isReadOnly = false
  /// The connection is of no use any more.
  private(set) var isBroken = false

  /// Connects; blocks until it is done or has failed.
  init(_ url: String, _ options: PostgreSQLOptions, isPooled: Bool) throws(PostgreSQLFailure) {
    self.isPooled = isPooled
    let parameters = PostgreSQLParameters(url, options, isPooled: isPooled)
    guard let handle = parameters.connect() else {
      throw PostgreSQLFailure(connection: nil, operation: "connect")
    }
    self.handle = handle
    answerTimeout = options.statementTimeout + options.connectionTimeout
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

  // MARK: Transactions

  /// Opens a transaction with its first statement.
  /// - Parameter settings: `SET LOCAL` statements that go with it.
  func begin(isReadOnly: Bool, settings: [String] = []) {
    precondition(!isInTransaction, "a connection has one transaction at a time")
    self.isReadOnly = isReadOnly
    isInTransaction = true
    opening = [isReadOnly ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN"] + settings
  }

  /// Makes what was written durable, and waits for it.
  ///
  /// A COMMIT that waits for a standby must not run into the statements' time limit: the server would stop waiting,
  /// call the transaction committed though no standby has it, and say so by a mere warning. So it has no limit, and
  /// after a warning nobody knows the outcome.
  func commit() throws(PostgreSQLFailure) {
    guard isInTransaction else { return }
    isInTransaction = false
    // Nothing was sent, so there is nothing to be made durable.
    guard opening.isEmpty else {
      opening = []
      return
    }
    let before = warnings.pointee
    let result = try exchange("commit", sql: nil) { send("SET LOCAL statement_timeout = 0") && send("COMMIT") }
    defer { PQclear(result) }
    guard warnings.pointee == before else {
      isBroken = true
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
    guard opening.isEmpty else {
      opening = []
      return
    }
    guard !isBroken else { return }
    guard send("ROLLBACK"), PQpipelineSync(handle) == 1 else {
      isBroken = true
      return
    }
    unread += 1
  }

  // MARK: Statements

  /// Runs a statement and calls `row` for each row until it returns false.
  /// - Returns: how many rows it changed; nil if it is of a kind that changes none.
  func run(
    _ sql: String, _ arguments: [SQLValue], row: (PostgreSQLRow) throws -> Bool
  ) throws -> Int? {
    let list = ArgumentList(arguments)
    try checkCount(sql, arguments.count)
    let key = list.signature.map { StatementKey(sql: sql, signature: $0) }
    let known = key.flatMap { prepared[$0] }
    let name = known ?? (isPooled ? "" : key.map(newName) ?? "")
    let position = opening.count
    var answered = 0
    let result: OpaquePointer
    do {
      result = try exchange("step", sql: sql, answered: &answered) {
        if known == nil, !name.isEmpty, PQsendPrepare(handle, name, sql, Int32(list.count), list.types) != 1 {
          return false
        }
        return list.withPointers { values, lengths, formats in
          name.isEmpty
            ? PQsendQueryParams(handle, sql, Int32(list.count), list.types, values, lengths, formats, 1) == 1
            : PQsendQueryPrepared(handle, name, Int32(list.count), values, lengths, formats, 1) == 1
        }
      }
    } catch {
      // A statement that was prepared stays so, though its first run failed.
      if known == nil, let key, !name.isEmpty, answered > position { prepared[key] = name }
      throw error
    }
    defer { PQclear(result) }
    if known == nil, let key, !name.isEmpty { prepared[key] = name }
    try forEachRow(of: result, sql, row)
    guard let count = PQcmdTuples(result), count.pointee != 0, Self.changes(result) else { return nil }
    return Int(String(cString: count))
  }

  /// Runs a statement of the schema, which is used once.
  func define(_ sql: String) throws(PostgreSQLFailure) {
    PQclear(try exchange("define", sql: sql) { send(sql) })
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

  /// Whether the result is that of a statement that changes rows, by its command tag.
  private static func changes(_ result: OpaquePointer) -> Bool {
    guard let tag = PQcmdStatus(result) else { return false }
    switch UInt8(bitPattern: tag.pointee) {
    case UInt8(ascii: "I"), UInt8(ascii: "U"), UInt8(ascii: "D"): return true
    default: return false
    }
  }

  private func checkCount(_ sql: String, _ given: Int) throws(StorageError) {
    let wanted: Int
    if let known = parameterCounts[sql] {
      wanted = known
    } else {
      wanted = SQLText.parameterCount(sql)
      if parameterCounts.count >= PostgreSQLLimits.preparedStatements { forgetStatements() }
      parameterCounts[sql] = wanted
    }
    if given != wanted {
      throw StorageError(
        .invalidStatement, operation: "bind", message: "\(given) arguments for \(wanted) parameters", sql: sql)
    }
  }

  /// The same name means the same statement in every session of every process: a pooler that nobody has told of may hand
  /// this connection a session in which another has prepared its statements.
  private func newName(_ key: StatementKey) -> String {
    if prepared.count >= PostgreSQLLimits.preparedStatements { forgetStatements() }
    let hash = UInt64(bitPattern: StableHash.of(key.sql))
    let parts = [hash, UInt64(key.sql.utf8.count), key.signature]
    return "octet_" + parts.map { String($0, radix: 36) }.joined(separator: "_")
  }

  private func forgetStatements() {
    parameterCounts = [:]
    if prepared.isEmpty { return }
    prepared = [:]
    opening.append("DEALLOCATE ALL")
  }

  // MARK: The pipeline

  /// Sends a statement without arguments.
  private func send(_ sql: String) -> Bool {
    PQsendQueryParams(handle, sql, 0, nil, nil, nil, nil, 1) == 1
  }

  private func exchange(
    _ operation: String, sql: String?, _ send: () -> Bool
  ) throws(PostgreSQLFailure) -> OpaquePointer {
    var answered = 0
    return try exchange(operation, sql: sql, answered: &answered, send)
  }

  /// Sends what opens the transaction, if that is still to be done, and what `send` sends, and waits for the answers.
  /// - Parameter answered: counts the commands that were answered without an error.
  /// - Returns: the last answer.
  private func exchange(
    _ operation: String, sql: String?, answered: inout Int, _ send: () -> Bool
  ) throws(PostgreSQLFailure) -> OpaquePointer {
    guard !isBroken else { throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql) }
    let first = opening
    opening = []
    guard first.allSatisfy({ self.send($0) }), send(), PQpipelineSync(handle) == 1 else {
      isBroken = true
      throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql)
    }
    while unread > 0 {
      // What nobody waited for cannot fail in a way that matters: a ROLLBACK, at worst of a session that is gone.
      var ignored = 0
      if let result = try? readAnswers(operation, sql, &ignored) { PQclear(result) }
      if isBroken { throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql) }
      unread -= 1
    }
    guard let result = try readAnswers(operation, sql, &answered) else {
      isBroken = true
      throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql)
    }
    return result
  }

  /// Reads until the next synchronisation point.
  private func readAnswers(
    _ operation: String, _ sql: String?, _ answered: inout Int
  ) throws(PostgreSQLFailure) -> OpaquePointer? {
    var last: OpaquePointer?
    var failure: PostgreSQLFailure?
    var isBetweenCommands = false
    let deadline = ContinuousClock.now + answerTimeout
    while true {
      guard awaitResult(until: deadline) else {
        isBroken = true
        PQclear(last)
        throw failure ?? PostgreSQLFailure(connectionLost: "no answer came", operation: operation, sql: sql)
      }
      guard let result = PQgetResult(handle) else {
        // Nil stands between the answers of two commands. Twice in a row it means that nothing more will come: the
        // server has ended the session, which libpq does not always call a lost connection.
        guard PQstatus(handle) == CONNECTION_OK, !isBetweenCommands else {
          isBroken = true
          PQclear(last)
          throw failure ?? PostgreSQLFailure(connection: handle, operation: operation, sql: sql)
        }
        isBetweenCommands = true
        continue
      }
      isBetweenCommands = false
      switch PQresultStatus(result) {
      case PGRES_PIPELINE_SYNC:
        PQclear(result)
        guard let failure else { return last }
        PQclear(last)
        throw failure
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
        PQclear(last)
        last = result
        answered += 1
      case PGRES_PIPELINE_ABORTED:
        PQclear(result)
      default:
        failure = failure ?? judge(PostgreSQLFailure(result: result, operation: operation, sql: sql))
        PQclear(result)
      }
    }
  }

  /// Sends what is left to be sent, and waits until a result or the end of the connection is there.
  /// - Returns: false when the deadline comes first: whoever is at the other end keeps silent.
  private func awaitResult(until deadline: ContinuousClock.Instant) -> Bool {
    while true {
      let unsent = PQflush(handle)
      // A failure to send or to receive shows in the result.
      guard unsent >= 0, PQisBusy(handle) == 1 else { return true }
      let left = ContinuousClock.now.duration(to: deadline).inMilliseconds
      guard left > 0 else { return false }
      var socket = pollfd(fd: PQsocket(handle), events: Int16(POLLIN | (unsent > 0 ? POLLOUT : 0)), revents: 0)
      let ready = poll(&socket, 1, Int32(clamping: left))
      let hasInput = ready > 0 && Int32(socket.revents) & (POLLIN | POLLHUP | POLLERR) != 0
      if hasInput, PQconsumeInput(handle) == 0 { return true }
    }
  }

  /// A write in a read transaction is the program's fault; in any other it tells that the server is a standby.
  private func judge(_ failure: PostgreSQLFailure) -> PostgreSQLFailure {
    guard isReadOnly, failure.isReadOnlyTransaction else { return failure }
    var failure = failure
    failure.kind = .final
    failure.error.code = .invalidStatement
    return failure
  }
}
