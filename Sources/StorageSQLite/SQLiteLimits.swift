/// The engine's limits, with their reasons (figures: order-shaped transactions on a two-core machine).
enum SQLiteLimits {
  /// Transactions that share one COMMIT. Above 256 the rate still rises a little, but the last one waits for all.
  static let transactionsPerCommit = 256

  /// Transactions of a batch whose callers the writer tells itself. Each may cost it a call of the system; to wake another
  /// thread costs two, and the callers some microseconds.
  static let acknowledgedByWriter = 2

  /// Batches that may be durable before their callers are told.
  static let unacknowledgedBatches = 64

  /// Transactions that may wait for the writer: about a second's worth at the slowest measured rate.
  static let waitingWrites = 16_384

  /// Writes that may wait to be looked up before they come to the writer: some tenths of a second's worth, at what a
  /// cold disk gives the threads that look them up. One that finds no room goes to the writer at once, which then waits
  /// for the disk itself: longer than that nobody should wait in order to save others a wait.
  static let waitingLookUps = 4_096

  /// Reads that may wait for a reader.
  static let waitingReads = 16_384

  /// Threads that look up requests before they are served. They wait for the disk more than they work, and a disk serves
  /// several at once as quickly as one.
  static let warmers = 6

  /// Reads that share one snapshot. Long snapshots hold up checkpoints.
  static let readsPerSnapshot = 32

  /// How often a body that throws `RetryTransaction` is run.
  static let attempts = 5

  /// How often in a row the checkpointing thread copies without gaining on the commits before it leaves the rest to the
  /// writer, which holds them up.
  static let checkpointRounds = 4

  /// Batches that get savepoints from the start after one had to be run again.
  static let cautiousBatches = 32

  /// Pages of a backup that are written before they are synced: 4 MiB, about 10 ms of a disk's time, for which commits
  /// may have to wait.
  static let copiedPagesPerSync = 1024

  /// Pages that the checkpointing thread copies before it has them synced: 1 MiB, some milliseconds of a disk's time, for
  /// which commits may have to wait.
  static let checkpointedPagesPerSync = 256

  /// Fewer pages than these the writer may be asked to copy and sync between two commits.
  static let checkpointRemainder = 500

  /// Bytes of the log that are given to the system at once: thirty pages. SQLite's way to the system takes less than
  /// 128 KiB in one write.
  static let logBuffer = 120 << 10

  /// How long a connection waits for a lock before it reports `.busy`. Only recovery and foreign tools hold any.
  static let busyMilliseconds = 5_000
}
