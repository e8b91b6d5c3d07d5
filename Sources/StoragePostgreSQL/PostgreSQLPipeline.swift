internal import Base
internal import CPostgreSQL
internal import Glibc
internal import Storage

/// What was sent over a connection and has not been answered, in libpq's pipeline mode.
///
/// The server answers in order. After a command that fails it skips all others up to the next synchronisation point.
final class PostgreSQLPipeline {
  /// What a command is sent for.
  enum Role {
    /// Opens or ends a transaction, or sets something for it.
    case control
    /// Somebody waits for its answer.
    case awaited
    /// A statement that nobody waits for, so its failure shows later.
    case queued
    /// No command but the end of some.
    case synchronisation
  }

  private struct Command {
    let role: Role
    let operation: String
    var sql: String?
    var mustChange = false
    /// Whether nobody cares any more for what became of those before.
    var forgets = false
    /// Called if the server has not carried it out.
    var whenSkipped: (() -> Void)?
  }

  /// Milliseconds after which a silent server is looked at again. More do not count as silence at once: while this
  /// process stood still, the answer may have come.
  private static let askingPause = PostgreSQLLimits.overtakenCommit.inMilliseconds / 20

  private let handle: OpaquePointer
  /// How long the server may keep silent while it owes answers.
  private let answerTimeout: Duration
  private var commands: [Command] = []
  /// How many of them are answered.
  private var answered = 0

  /// Statements that nobody waits for, sent since the last synchronisation point.
  private(set) var queuedStatements = 0
  /// The octets of their arguments.
  private(set) var queuedBytes = 0
  /// Whether one of them must change a row.
  private(set) var hasConditions = false
  /// The connection is of no use any more.
  private(set) var isBroken = false

  /// - Parameter handle: of a connection in pipeline mode that does not block; whoever made it ends it.
  init(_ handle: OpaquePointer, answerTimeout: Duration) {
    self.handle = handle
    self.answerTimeout = answerTimeout
  }

  // MARK: Sending

  /// Sends a statement without arguments.
  func send(_ sql: String, _ role: Role, _ operation: String, whenSkipped: (() -> Void)? = nil) {
    add(Command(role: role, operation: operation, sql: role == .control ? nil : sql, whenSkipped: whenSkipped)) {
      PQsendQueryParams(handle, sql, 0, nil, nil, nil, nil, 1)
    }
  }

  /// Prepares a statement.
  /// - Parameter role: of the statement's run, which follows.
  func prepare(
    _ name: String, _ sql: String, _ list: ArgumentList, _ role: Role, whenSkipped: @escaping () -> Void
  ) {
    add(Command(role: role, operation: "prepare", sql: sql, whenSkipped: whenSkipped)) {
      PQsendPrepare(handle, name, sql, Int32(list.count), list.types)
    }
  }

  /// Runs a statement.
  /// - Parameters:
  ///   - name: of the prepared one; empty if there is none.
  ///   - mustChange: the transaction fails if it changes no row.
  func run(_ name: String, _ sql: String, _ list: ArgumentList, _ role: Role, mustChange: Bool) {
    add(Command(role: role, operation: "step", sql: sql, mustChange: mustChange)) {
      list.withPointers { values, lengths, formats in
        name.isEmpty
          ? PQsendQueryParams(handle, sql, Int32(list.count), list.types, values, lengths, formats, 1)
          : PQsendQueryPrepared(handle, name, Int32(list.count), values, lengths, formats, 1)
      }
    }
    guard role == .queued else { return }
    queuedStatements += 1
    queuedBytes += list.byteCount
    hasConditions = hasConditions || mustChange
  }

  private func add(_ command: Command, _ send: () -> Int32) {
    guard !isBroken, send() == 1 else {
      isBroken = true
      return
    }
    commands.append(command)
  }

  /// Has the server begin with what was sent, and answer it without waiting for more.
  func flush() {
    // A failure shows when somebody waits for an answer.
    if PQsendFlushRequest(handle) == 1 { PQflush(handle) }
  }

  /// Ends what a failure takes with it; does not wait.
  /// - Parameter forgets: whether nobody cares any more for what became of the commands before, if there are some behind.
  func synchronise(forgets: Bool = true) {
    (queuedStatements, queuedBytes, hasConditions) = (0, 0, false)
    guard let last = commands.last, last.role != .synchronisation else { return }
    add(Command(role: .synchronisation, operation: "synchronise", forgets: forgets)) { PQpipelineSync(handle) }
  }

  // MARK: Answers

  /// Waits until all that was sent is answered.
  /// - Parameters:
  ///   - operation: what is waited for, for errors.
  ///   - hasDeadline: whether the server may not keep silent for ever.
  ///   - givesUp: asked now and then whether to wait no longer, with the time for which it was waited since the last
  ///     question.
  /// - Returns: the answer to the last command, for the caller to clear.
  /// - Throws: the first failure of a command that was sent after the last synchronisation point that forgets.
  func settle(
    _ operation: String, _ sql: String? = nil, hasDeadline: Bool = true, givesUp: ((Duration) -> Bool)? = nil
  ) throws(PostgreSQLFailure) -> OpaquePointer {
    synchronise()
    defer {
      commands.removeAll(keepingCapacity: true)
      answered = 0
    }
    guard !isBroken else { throw PostgreSQLFailure(connection: handle, operation: operation, sql: sql) }
    var answers = Answers()
    defer { PQclear(answers.last) }
    var isBetweenCommands = false
    while answered < commands.count {
      guard awaitResult(hasDeadline: hasDeadline, givesUp) else {
        isBroken = true
        throw answers.failure ?? lost("no answer came", operation, sql)
      }
      guard let result = PQgetResult(handle) else {
        // Nil stands between the answers of two commands. Twice in a row it means that nothing more will come: the
        // server has ended the session, which libpq does not always call a lost connection.
        guard PQstatus(handle) == CONNECTION_OK, !isBetweenCommands else {
          isBroken = true
          throw answers.failure ?? lost(nil, operation, sql)
        }
        isBetweenCommands = true
        continue
      }
      isBetweenCommands = false
      take(result, &answers)
    }
    if let failure = answers.failure { throw failure }
    guard let last = answers.last else {
      isBroken = true
      throw lost("an answer is missing", operation, sql)
    }
    answers.last = nil
    return last
  }

  /// What was answered since the last synchronisation point.
  private struct Answers {
    var last: OpaquePointer?
    var failure: PostgreSQLFailure?
  }

  /// The connection is lost while the next command waits for its answer.
  private func lost(_ message: String?, _ operation: String, _ sql: String?) -> PostgreSQLFailure {
    var failure =
      message.map { PostgreSQLFailure(connectionLost: $0, operation: operation, sql: sql) }
      ?? PostgreSQLFailure(connection: handle, operation: operation, sql: sql)
    if answered < commands.count, commands[answered].role == .queued { failure.role = .queued }
    return failure
  }

  private func take(_ result: OpaquePointer, _ answers: inout Answers) {
    let status = PQresultStatus(result)
    if status == PGRES_PIPELINE_SYNC {
      PQclear(result)
      answered += 1
      if answered == commands.count || !commands[answered - 1].forgets { return }
      // Of what was taken back; whatever has become of it matters to nobody.
      PQclear(answers.last)
      answers = Answers()
      return
    }
    let command = commands[answered]
    // More answers than commands are the last words of a session.
    if command.role != .synchronisation { answered += 1 }
    switch status {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
      PQclear(answers.last)
      answers.last = result
      if command.mustChange, Self.changedRows(result) == 0, answers.failure == nil {
        answers.failure = .unmetCondition(command.sql)
      }
      return
    case PGRES_PIPELINE_ABORTED: break
    default:
      if answers.failure == nil {
        var failure = PostgreSQLFailure(result: result, operation: command.operation, sql: command.sql)
        failure.role = command.role == .synchronisation ? .awaited : command.role
        answers.failure = failure
      }
    }
    command.whenSkipped?()
    PQclear(result)
  }

  /// How many rows a statement changed; nil if it is of a kind that changes none, by its command tag.
  static func changedRows(_ result: OpaquePointer) -> Int? {
    guard let tag = PQcmdStatus(result), let count = PQcmdTuples(result), count.pointee != 0 else { return nil }
    switch UInt8(bitPattern: tag.pointee) {
    case UInt8(ascii: "I"), UInt8(ascii: "U"), UInt8(ascii: "D"): return Int(String(cString: count))
    default: return nil
    }
  }

  /// Sends what is left to be sent, and waits until a result or the end of the connection is there.
  /// - Returns: false when time is up: whoever is at the other end keeps silent.
  private func awaitResult(hasDeadline: Bool, _ givesUp: ((Duration) -> Bool)?) -> Bool {
    var silence: Int64 = 0
    while true {
      let unsent = PQflush(handle)
      // A failure to send or to receive shows in the result.
      guard unsent >= 0, PQisBusy(handle) == 1 else { return true }
      guard !hasDeadline || silence < answerTimeout.inMilliseconds else { return false }
      // Poll takes -1 as no limit.
      let pause = hasDeadline || givesUp != nil ? Self.askingPause : -1
      var socket = pollfd(fd: PQsocket(handle), events: Int16(POLLIN | (unsent > 0 ? POLLOUT : 0)), revents: 0)
      let ready = poll(&socket, 1, Int32(clamping: pause))
      let hasInput = ready > 0 && Int32(socket.revents) & (POLLIN | POLLHUP | POLLERR) != 0
      if hasInput, PQconsumeInput(handle) == 0 { return true }
      guard ready == 0 else { continue }
      silence += pause
      if let givesUp, givesUp(.milliseconds(pause)) { return false }
    }
  }
}
