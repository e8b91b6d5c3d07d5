internal import Base
internal import Storage

/// Runs read bodies on one connection, from one thread: those that wait share a snapshot, whose end travels with the
/// next one's beginning.
final class PostgreSQLReader: @unchecked Sendable {
  // Unchecked because the session belongs to the reader's thread.
  private let session: PostgreSQLSession

  private typealias Job = TransactionJob<PostgreSQLTransaction>

  init(_ session: PostgreSQLSession) {
    self.session = session
  }

  /// Serves the queue until it is closed and empty.
  func run(_ queue: BlockingQueue<TransactionJob<PostgreSQLTransaction>>) {
    while true {
      let jobs = queue.pop(atMost: PostgreSQLLimits.readsPerSnapshot, share: session.options.readers)
      if jobs.isEmpty { return session.disconnect() }
      // The snapshot is taken after the jobs came in, so it has all that was acknowledged to their callers.
      for job in jobs { serve(job) }
      try? session.connected().rollBack()
    }
  }

  private func serve(_ job: Job) {
    var outageBegan: ContinuousClock.Instant?
    var attempt = 0
    while true {
      attempt += 1
      do {
        let connection = try session.connected()
        if !connection.isInTransaction { connection.begin(isReadOnly: true, settings: session.settings) }
        let transaction = PostgreSQLTransaction(connection)
        do {
          try job.run(transaction)
          return job.finish(nil)
        } catch {
          guard let failure = transaction.failure else { return job.finish(error) }
          connection.rollBack()
          guard mayRunAgain(failure, attempt, since: &outageBegan) else { return job.finish(error) }
        }
      } catch {
        return job.finish(error)
      }
      session.waitBeforeRetry(attempt)
    }
  }

  private func mayRunAgain(
    _ failure: PostgreSQLFailure, _ attempt: Int, since outageBegan: inout ContinuousClock.Instant?
  ) -> Bool {
    switch failure.kind {
    case .connection:
      session.disconnect()
      return session.isPatient(since: &outageBegan)
    case .foreignSession:
      session.forgetStatements()
      return attempt < PostgreSQLLimits.attempts
    // A snapshot of a standby may have to give way.
    case .lostRace: return attempt < PostgreSQLLimits.attempts
    case .final, .lock, .sharing: return false
    }
  }
}
