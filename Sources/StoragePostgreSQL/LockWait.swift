internal import Base

/// How transactions that run together wait for the locks of others.
enum LockWait {
  /// Beside all others: for a moment.
  case beside
  /// In the turn of their process, beside those of other processes.
  case inTurn
  /// In the turn of their process, and in one that they share with all processes of the database.
  case inTurnOfNodes
  /// By itself, for as long as the options say.
  case alone

  /// Whether others wait for their turn meanwhile.
  var isInTurn: Bool { self == .inTurn || self == .inTurnOfNodes }

  /// What each transaction says for itself when it begins.
  func settings(_ options: PostgreSQLOptions) -> [String] {
    switch self {
    case .beside: [Self.limit(PostgreSQLLimits.batchLockTimeout, options)]
    case .inTurn: [Self.limit(PostgreSQLLimits.turnLockTimeout, options)]
    // The turn itself is waited for as long as the session waits for any lock.
    case .inTurnOfNodes:
      [PostgreSQLTransaction.takeTurnOfNodes, Self.limit(PostgreSQLLimits.nodesTurnLockTimeout, options)]
    case .alone: []
    }
  }

  private static func limit(_ timeout: Duration, _ options: PostgreSQLOptions) -> String {
    "SET LOCAL lock_timeout = \(min(timeout, options.lockTimeout).inMilliseconds)"
  }
}
