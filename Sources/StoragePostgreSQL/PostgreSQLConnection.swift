internal import Base
internal import CPostgreSQL
internal import Glibc
internal import Storage

/// One session at the server, with its prepared statements. Confined to one thread at a time.
///
/// It works in libpq's pipeline mode, so that what need not be waited for travels with what is: BEGIN with a
/// transaction's first statement, a statement's preparation with its first run, the end of a read with whatever is next.
final class PostgreSQLConnection {
  /// What is known of a statement's text.
  private struct KnownStatement {
    let parameterCount: Int
    /// By the types of the arguments, as `ArgumentList.signature` packs them: for each a prepared statement's name.
    var names: [(signature: UInt64, name: String)] = []
  }

  private let handle: OpaquePointer
  /// How long an answer may take: longer than the server takes to give a statement up by itself.
  private let answerTimeout: Duration
  /// Counts the server's warnings. Memory of its own, because libpq writes to it.
  private let warnings: UnsafeMutablePointer<Int>
  /// Whether each transaction may find itself in another session.
  let isPooled: Bool
  private var statements: [StatementText: KnownStatement] = [:]
  /// The session still has prepared statements that are forgotten here.
  private var mustDeallocate = false
  /// Synchronisation points that were sent and whose results nobody has read.
  private var unread = 0
  /// What opens a transaction and has not been sent yet.
  private var opening: [String] = []
  /// Whether the server has, or is about to get, an open transaction.
  private(set) var isInTransaction = false
  /// Whether something of the transaction was sent.
  private var hasBegun = false
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
    hasBegun = false
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
    guard hasBegun else {
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
    opening = []
    guard hasBegun, !isBroken else { return }
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
    let text = StatementText(sql: sql)
    let statement = known(text)
    guard arguments.count == statement.parameterCount else {
      throw StorageError(
        .invalidStatement, operation: "bind",
        message: "\(arguments.count) arguments for \(statement.parameterCount) parameters", sql: sql)
    }
    let list = ArgumentList(arguments)
    let prepared = list.signature.flatMap { signature in
      statement.names.first { $0.signature == signature }?.name
    }
    let name = prepared ?? (isPooled ? "" : list.signature.map { Self.newName(sql, $0) } ?? "")
    let isNew = prepared == nil && !name.isEmpty
    let position = preamble.count
    var answered = 0
    let result: OpaquePointer
    do {
      result = try exchange("step", sql: sql, answered: &answered) {
        if isNew, PQsendPrepare(handle, name, sql, Int32(list.count), list.types) != 1 {
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
      if isNew, answered > position { note(name, of: text, list) }
      throw error
    }
    defer { PQclear(result) }
    if isNew { note(name, of: text, list) }
    try forEachRow(of: result, sql, row)
    guard let count = PQcmdTuples(result), count.pointee != 0, Self.changes(result) else { return nil }
    return Int(String(cString: count))
  }

  /// Runs a statement of the schema, which is used once. It has no deadline here: how long building an index may take is
  /// for the transaction to say.
  func define(_ sql: String) throws(PostgreSQLFailure) {
    var answered = 0
    PQclear(try exchange("define", sql: sql, hasDeadline: false, answered: &answered) { send(sql) })
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

  /// What has to be sent before the next statement.
  private var preamble: [String] { mustDeallocate ? opening + ["DEALLOCATE ALL"] : opening }

  private func known(_ text: StatementText) -> KnownStatement {
    if let statement = statements[text] { return statement }
    if statements.count >= PostgreSQLLimits.preparedStatements {
      statements = [:]
      mustDeallocate = true
    }
    let statement = KnownStatement(parameterCount: SQLText.parameterCount(text.sql))
    statements[text] = statement
    return statement
  }

  private func note(_ name: String, of text: StatementText, _ list: ArgumentList) {
    guard let signature = list.signature else { return }
    statements[text]?.names.append((signature, name))
  }

  /// The same name means the same statement in every session of every process: a pooler that nobody has told of may hand
  /// this connection a session in which another has prepared its statements.
  private static func newName(_ sql: String, _ signature: UInt64) -> String {
    let hash = UInt64(bitPattern: StableHash.of(sql))
    let parts = [hash, UInt64(sql.utf8.count), signature]
    return "octet_" + parts.map { String($0, radix: 36) }.joined(separator: "_")
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
    _ operation: String, sql: String?, hasDeadline: Bool = true, answered: inout Int, _ send: () -> Bool
  ) throws(PostgreSQLFailure) -> OpaquePointer {
    guard !isBroken else { throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql) }
    let first = preamble
    opening = []
    mustDeallocate = false
    hasBegun = hasBegun || isInTransaction
    guard first.allSatisfy({ self.send($0) }), send(), PQpipelineSync(handle) == 1 else {
      isBroken = true
      throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql)
    }
    let deadline = ContinuousClock.now + answerTimeout
    while unread > 0 {
      // What nobody waited for cannot fail in a way that matters: a ROLLBACK, at worst of a session that is gone.
      var ignored = 0
      if let result = try? readAnswers(operation, sql, until: deadline, &ignored) { PQclear(result) }
      if isBroken { throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql) }
      unread -= 1
    }
    guard let result = try readAnswers(operation, sql, until: hasDeadline ? deadline : nil, &answered) else {
      isBroken = true
      throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql)
    }
    return result
  }

  /// Reads until the next synchronisation point.
  private func readAnswers(
    _ operation: String, _ sql: String?, until deadline: ContinuousClock.Instant?, _ answered: inout Int
  ) throws(PostgreSQLFailure) -> OpaquePointer? {
    var last: OpaquePointer?
    var failure: PostgreSQLFailure?
    var isBetweenCommands = false
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
  private func awaitResult(until deadline: ContinuousClock.Instant?) -> Bool {
    while true {
      let unsent = PQflush(handle)
      // A failure to send or to receive shows in the result.
      guard unsent >= 0, PQisBusy(handle) == 1 else { return true }
      // Poll takes -1 as no limit.
      let left = deadline.map { max(0, ContinuousClock.now.duration(to: $0).inMilliseconds) } ?? -1
      guard left != 0 else { return false }
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
