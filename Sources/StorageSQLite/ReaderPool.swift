internal import Base
internal import Storage

/// Runs read bodies on one reader's connection: those that wait are served in one short read transaction, which is
/// five times cheaper than one each.
final class ReaderWorker: @unchecked Sendable {
  // Unchecked because the connection belongs to the reader's thread.
  private let connection: SQLiteConnection
  private let readers: Int
  private let gate: WriteGate

  init(_ connection: SQLiteConnection, readers: Int, gate: WriteGate) {
    self.connection = connection
    self.readers = readers
    self.gate = gate
    connection.keepLogOnClose()
  }

  /// Serves the queue until it is closed and empty.
  func run(_ queue: BlockingQueue<TransactionJob<SQLiteTransaction>>) {
    while true {
      let jobs = queue.pop(atMost: SQLiteLimits.readsPerSnapshot, share: readers)
      if jobs.isEmpty { return }
      // The snapshot is taken after the jobs came in, so it has all that was acknowledged to their callers.
      for job in jobs { serve(job) }
      endSnapshot()
    }
  }

  private func serve(_ job: TransactionJob<SQLiteTransaction>) {
    do {
      if connection.isAutocommit { try connection.run("BEGIN") }
      try job.run(SQLiteTransaction(connection))
      job.finish(nil)
    } catch {
      // Before the caller knows: what it writes after that is refused.
      gate.close(afterReading: connection)
      job.finish(error)
    }
  }

  private func endSnapshot() {
    guard !connection.isAutocommit else { return }
    do {
      try connection.run("ROLLBACK")
    } catch {
      precondition(connection.isAutocommit, "SQLite refuses to end a read: \(error)")
    }
  }
}
