internal import Base
internal import CPostgreSQL
internal import Glibc
internal import Storage

/// Finds out why a server lets nobody in, for those who start a program.
///
/// libpq keeps the SQLSTATE of a failed connection to itself, but says it in its verbose words, which can be asked for
/// only between the steps of connecting. So once an attempt has failed, another one is made in steps.
enum PostgreSQLDiagnosis {
  /// What is to be done about it, by SQLSTATE.
  private static let reasons: [(state: String, words: String)] = [
    ("28P01", "the server does not take this user with this password"),
    ("28000", "the server does not let this user in, or not from here"),
    ("3D000", "the server has no such database"),
    ("42501", "this user may not connect to the database"),
    ("55000", "the database takes no connections"),
    ("57P03", "the server takes no connections now: it starts up, shuts down or is being restored"),
    ("53300", "the server has as many connections as it allows"),
  ]

  /// The error with the server's reason, if it has given one. Blocks for about as long as connecting does.
  /// - Parameter error: what a connection has just failed with.
  static func explained(_ error: StorageError, _ url: String, _ options: PostgreSQLOptions) -> StorageError {
    guard error.code == .unavailable else { return error }
    // Said by libpq itself, in English, as no program of ours asks for another language.
    if error.message.contains("no password supplied") {
      return StorageError(.cannotOpen, operation: error.operation, message: error.message)
    }
    if error.message.contains("session is read-only"), isReadOnlyBySetting(url, options) {
      return StorageError(
        .cannotOpen, operation: error.operation,
        message: "default_transaction_read_only is on for this user, database or server: \(error.message)")
    }
    guard let words = verboseWords(url, options),
      let reason = reasons.first(where: { words.contains(":  \($0.state): ") })
    else { return error }
    var explained = PostgreSQLFailure(
      sqlState: reason.state, message: "\(reason.words): \(error.message)", operation: error.operation, sql: nil
    ).error
    // What is filed among what may pass by itself elsewhere.
    if reason.state == "42501" || reason.state == "55000" { explained.code = .cannotOpen }
    return explained
  }

  /// Whether the primary refuses to write, too. That it is found is not enough: a standby, which refuses in the same words,
  /// may have become the primary since.
  private static func isReadOnlyBySetting(_ url: String, _ options: PostgreSQLOptions) -> Bool {
    let parameters = PostgreSQLParameters(url, options, isPooled: options.isPooled, server: "primary")
    guard let handle = parameters.connect() else { return false }
    defer { PQfinish(handle) }
    // Reported from PostgreSQL 14 on.
    let setting = PQparameterStatus(handle, "default_transaction_read_only").map { String(cString: $0) }
    return PQstatus(handle) == CONNECTION_OK && setting == "on"
  }

  private static func verboseWords(_ url: String, _ options: PostgreSQLOptions) -> String? {
    guard let handle = PostgreSQLParameters(url, options, isPooled: options.isPooled).begin() else { return nil }
    defer { PQfinish(handle) }
    PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
    let deadline = ContinuousClock.now + options.connectionTimeout
    var step = PGRES_POLLING_WRITING
    while step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING {
      let left = ContinuousClock.now.duration(to: deadline).inMilliseconds
      guard left > 0 else { return nil }
      let events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT
      var socket = pollfd(fd: PQsocket(handle), events: Int16(events), revents: 0)
      // libpq must not be asked to go on before it can.
      if poll(&socket, 1, Int32(clamping: left)) > 0 { step = PQconnectPoll(handle) }
    }
    guard step == PGRES_POLLING_FAILED, let words = PQerrorMessage(handle) else { return nil }
    return String(cString: words)
  }
}
