/// The engine's limits, with their reasons.
enum PostgreSQLLimits {
  /// Transactions that may wait for a writing connection: a few seconds' worth at the slowest measured rate.
  static let waitingWrites = 16_384

  /// Reads that may wait for a reading connection.
  static let waitingReads = 16_384

  /// Transactions that may share one COMMIT. A batch holds the locks of all of them, so it is smaller than SQLite's.
  static let transactionsPerCommit = 64

  /// Reads that share one snapshot.
  static let readsPerSnapshot = 32

  /// How long a transaction waits for a lock before it is taken back and done again in turn. Two that wait for each
  /// other would otherwise stand until the server finds the deadlock, after a second by default.
  static let batchLockTimeout = Duration.milliseconds(30)

  /// The same for one whose turn it is. It waits for nothing but what other processes hold, so it is longer than most
  /// transactions take; but two processes whose turns wait for each other stand until one of them gives up.
  static let turnLockTimeout = Duration.milliseconds(100)

  /// The same for one whose turn it is among all processes. Longer than the one before, so that whoever does not take
  /// part in these turns gives up first; all who wait for their turn wait with it, so not much longer.
  static let nodesTurnLockTimeout = Duration.milliseconds(250)

  /// For how long the writers of a process take turns after one of them did not get a lock; doubled each time when the
  /// next conflict comes within that time after the end.
  static let firstTurns = Duration.milliseconds(50)

  /// The longest time of turns at once. At its end one batch may wait for `batchLockTimeout` in vain, a sixtieth of it.
  static let longestTurns = Duration.seconds(2)

  /// For how long a process shares its turns with others after a lock did not come in a turn of its own. At its end one
  /// batch may wait for `turnLockTimeout` in vain, a three hundredth of it.
  static let sharedTurns = Duration.seconds(30)

  /// How often a body is run that loses races.
  static let attempts = 12

  /// The longest wait before the second run of a body; doubled with each further run.
  static let firstRetryDelay = Duration.milliseconds(4)

  /// The longest wait between two runs of a body.
  static let longestRetryDelay = Duration.milliseconds(250)

  /// The wait after the first failed attempt to connect; doubled with each further one.
  static let firstReconnectDelay = Duration.milliseconds(50)

  /// The longest wait between two attempts to connect.
  static let longestReconnectDelay = Duration.seconds(2)

  /// Statements that nobody waits for until the engine does: as many as two full batches of small transactions have. What
  /// a body writes in a long loop must neither fill the memory here nor hide its failure for long.
  static let queuedStatements = 512

  /// The octets of their arguments: some times what a socket takes at once.
  static let queuedBytes = 1 << 20

  /// After so many of them the server is made to begin, and to answer: it works while more are made, and a slow one is
  /// not taken for a silent connection for those before it.
  static let statementsPerFlush = 16

  /// How long the answer to a COMMIT may be missing once another that was sent after it is durable. The server writes
  /// commits to its log, and sends them to its standbys, in one order, so by then nothing but the way back is missing;
  /// and what follows later commits waits for this one.
  static let overtakenCommit = Duration.seconds(2)

  /// Statements that stay prepared on a connection; the program has far fewer texts than this.
  static let preparedStatements = 1024
}
