internal import CPostgreSQL
internal import Storage

/// A failure of the server or of the way to it, with what it means for the transaction.
struct PostgreSQLFailure: Error {
  /// What becomes of the transaction that met it.
  enum Kind {
    /// The statement is to blame: nothing changes by trying again.
    case final
    /// The transaction lost a race, and may win when it is run again.
    case lostRace
    /// A lock did not come in the time that the transaction had for it.
    case lock
    /// The transaction wants what takes long where others share it or wait for their turn: it is to run by itself.
    case sharing
    /// The connection is gone, or its server will not serve: another connection may help.
    case connection
    /// The session does not know a prepared statement, or knows another of that name: somebody pools sessions.
    case foreignSession
  }

  var kind: Kind
  var error: StorageError
  /// Five characters (PostgreSQL's documentation, appendix A); empty when the server has not said anything.
  private(set) var sqlState = ""
  /// What the command that failed was sent for.
  var role = PostgreSQLPipeline.Role.awaited
  /// Whether it was met while the statements of the transaction were settled, before its COMMIT was sent.
  var precedesCommit = false

  /// - Parameter sqlState: five characters (PostgreSQL's documentation, appendix A); empty when libpq itself failed.
  init(sqlState: String, message: String, operation: String, sql: String?) {
    self.sqlState = sqlState
    kind = Self.kind(sqlState)
    error = StorageError(
      Self.code(sqlState), operation: operation,
      message: sqlState.isEmpty ? message : "\(message) (SQLSTATE \(sqlState))", sql: sql)
  }

  /// The way to the server is broken.
  init(connection: OpaquePointer?, operation: String, sql: String? = nil) {
    let words = connection.flatMap { PQerrorMessage($0) }.map { Self.oneLine(String(cString: $0)) } ?? "no memory"
    kind = .connection
    error = StorageError(.unavailable, operation: operation, message: words, sql: sql)
  }

  /// The connection is of no use any more, for a reason that libpq does not know.
  init(connectionLost message: String, operation: String, sql: String? = nil) {
    kind = .connection
    error = StorageError(.unavailable, operation: operation, message: message, sql: sql)
  }

  /// The primary message of a result; its details may show values of rows, which are nobody's business.
  init(result: OpaquePointer?, operation: String, sql: String?) {
    func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
    // PG_DIAG_SQLSTATE and PG_DIAG_MESSAGE_PRIMARY are macros of characters.
    let state = field(Int32(UInt8(ascii: "C"))) ?? ""
    let words = field(Int32(UInt8(ascii: "M"))) ?? PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
    self.init(sqlState: state, message: Self.oneLine(words), operation: operation, sql: sql)
    // PG_DIAG_SOURCE_FUNCTION: the one that finds that a prepared statement has other columns than when it was prepared,
    // since somebody has changed its table. A session that has not prepared it can run it.
    if state == "0A000", field(Int32(UInt8(ascii: "R"))) == "RevalidateCachedQuery" { kind = .connection }
  }

  /// The program's own fault, which no server has seen.
  init(final error: StorageError) {
    kind = .final
    self.error = error
  }

  /// The body found out by itself that it has lost a race.
  static let askedToRunAgain: PostgreSQLFailure = {
    var failure = PostgreSQLFailure(
      final: StorageError(.conflict, operation: "write", message: "lost a race \(PostgreSQLLimits.attempts) times"))
    failure.kind = .lostRace
    return failure
  }()

  /// A body wants to change the schema where others wait for it.
  static let sharedTransaction: PostgreSQLFailure = {
    var failure = PostgreSQLFailure(
      final: StorageError(.busy, operation: "define", message: "others wait for the transaction"))
    failure.kind = .sharing
    return failure
  }()

  /// A statement that had to change a row has changed none.
  static func unmetCondition(_ sql: String?) -> PostgreSQLFailure {
    var failure = PostgreSQLFailure(
      final: StorageError(.conflict, operation: "step", message: "a statement has changed no row", sql: sql))
    failure.role = .queued
    return failure
  }

  /// Whether it is the failure of a statement that nobody waited for: the transaction's body has gone on after it. Run
  /// again with waiting, it fails where it stands.
  var isLate: Bool { role == .queued }

  /// Whether something was to be written where nothing may be.
  var isReadOnlyTransaction: Bool { sqlState == "25006" }

  /// Whether a COMMIT that met this may have happened. Not if it was not sent yet, or the server had given the
  /// transaction up before it came, or has skipped it for the failure of a statement.
  var leavesCommitUnknown: Bool {
    !precedesCommit && kind == .connection && sqlState != "25P03" && (sqlState.isEmpty || role == .awaited)
  }

  private static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  private static func kind(_ state: String) -> Kind {
    switch state {
    case "40001", "40P01": .lostRace
    case "55P03": .lock
    // An empty state is a connection that broke; 25006 is a standby, whose primary is elsewhere now.
    // 25P03 and 57P05 are the server's word for a process that slept for too long: its session is gone.
    case "", "57P01", "57P02", "57P03", "57P05", "25006", "25P03": .connection
    case "26000", "42P05": .foreignSession
    // A wrong number of arguments, though it is filed among the failures of connections.
    case "08P01": .final
    default: state.hasPrefix("08") ? .connection : .final
    }
  }

  private static func code(_ state: String) -> StorageError.Code {
    switch state {
    case "23505": return .uniqueViolation
    case "23503": return .foreignKeyViolation
    case "40001", "40P01": return .conflict
    case "55P03", "57014": return .busy
    case "53100": return .diskFull
    case "58030": return .ioFailure
    case "", "57P01", "57P02", "57P03", "57P05", "25006", "25P03", "53300": return .unavailable
    case "22021": return .invalidText
    case "25P02": return .engine
    default: break
    }
    switch state.prefix(2) {
    case "08": return state == "08P01" ? .invalidStatement : .unavailable
    case "22", "23": return .checkViolation
    case "28", "3D": return .cannotOpen
    case "42", "0A", "26", "25": return .invalidStatement
    case "XX": return state == "XX001" || state == "XX002" ? .corrupt : .engine
    default: return .engine
    }
  }
}
