/// How a PostgreSQL database is used.
public struct PostgreSQLOptions: Sendable {
  /// Connections that write, each with a thread.
  public var writers = 4

  /// Connections that read, each with a thread.
  public var readers = 4

  /// Transactions that may share one COMMIT when more wait than there are connections; 1: each has its own.
  public var transactionsPerCommit = PostgreSQLLimits.transactionsPerCommit

  /// After this the server gives a statement up: the caller sees `.busy`.
  public var statementTimeout = Duration.seconds(15)

  /// After this a statement stops waiting for somebody else's lock: the caller sees `.busy`.
  public var lockTimeout = Duration.seconds(5)

  /// How long one attempt to connect may take, and how long data may stay unacknowledged before a connection counts
  /// as lost.
  public var connectionTimeout = Duration.seconds(5)

  /// How long a transaction waits for a server that cannot be reached, or is in recovery, before its caller sees
  /// `.unavailable`.
  public var patience = Duration.seconds(10)

  /// Whether a pooler stands between, such as PgBouncer, that gives each transaction another session: nothing is then
  /// kept in a session, no prepared statement either. Better left out: a pooler that refuses start-up parameters is
  /// recognised, as is one that loses prepared statements, while those that look after them (PgBouncer since 1.21) keep
  /// them.
  public var isPooled = false

  /// What the server's lists of sessions show.
  public var applicationName = "octet"

  /// As `PostgreSQLLimits` says of it; for tests that are not about it.
  package var overtakenCommit = PostgreSQLLimits.overtakenCommit

  /// Runs every write body once in vain before it counts, so that a test finds bodies that cannot be repeated.
  public var runsBodiesTwice = false

  public init() {}
}
