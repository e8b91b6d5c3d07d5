internal import Base
internal import Storage

/// The one thread that writes. It takes whatever transactions are waiting, runs them one after the other, and makes
/// all of them durable with one COMMIT. Nobody is told of success before that.
///
/// No timer: while one batch is being synced to disk, the next one gathers. A lone transaction does not wait.
///
/// A savepoint for each body costs as much as two of its statements. So a batch begins without: most bodies succeed,
/// and those that refuse have mostly written nothing yet. When one fails after it has written, the batch is rolled
/// back and run again with savepoints, and so are the next few.
final class GroupCommitter: @unchecked Sendable {
  // Unchecked because everything but the queue belongs to the writer's thread.
  private let connection: SQLiteConnection
  private let checkpointer: Checkpointer
  private let gate: WriteGate
  private let cache: CacheWatch
  private let acknowledger: Acknowledger
  private let runsBodiesTwice: Bool
  private let commits: Locked<Int>

  /// How many of the coming batches get savepoints from the start.
  private var cautiousBatches = 0

  private typealias Actions = [@Sendable () -> Void]

  /// A body has failed after it has written, and there is no savepoint to go back to.
  private struct NeedsSavepoints: Error {}

  /// - Parameter commits: counts them.
  init(
    _ connection: SQLiteConnection, checkpointer: Checkpointer, gate: WriteGate, cache: CacheWatch,
    acknowledger: Acknowledger, runsBodiesTwice: Bool, commits: Locked<Int>
  ) {
    self.connection = connection
    self.gate = gate
    self.cache = cache
    self.acknowledger = acknowledger
    self.checkpointer = checkpointer
    self.runsBodiesTwice = runsBodiesTwice
    self.commits = commits
  }

  /// Serves the queue until it is closed and empty.
  func run(_ queue: BlockingQueue<TransactionJob<SQLiteTransaction>>) {
    while true {
      var jobs = queue.pop(atMost: SQLiteLimits.transactionsPerCommit)
      if jobs.isEmpty { return }
      let outcomes = commit(jobs)
      // Who lets go of a job last frees it and all that its body holds; that is not for this thread.
      jobs = []
      acknowledger.acknowledge(outcomes)
      checkpointer.committed(on: connection)
    }
  }

  /// To be called when all other connections have closed: this one, as the last, folds the log into the file.
  func prepareToClose() {
    // On a doubtful disk the log must stay. Copies of a part of it are not synced each; when the sync of the whole
    // fails, pages of earlier parts may be lost, and SQLite would copy only the last part again.
    if gate.refusal != nil { connection.keepLogOnClose() }
  }

  /// Commits a batch.
  /// - Returns: what its callers are to be told now; of those that are left out, the callers have been told.
  private func commit(_ jobs: [TransactionJob<SQLiteTransaction>]) -> [Acknowledger.Outcome] {
    if let refusal = gate.refusal { return fail(jobs, refusal) }
    if runsBodiesTwice || cautiousBatches > 0 {
      cautiousBatches = max(0, cautiousBatches - 1)
      return commit(jobs, attempt: attemptInSavepoint)
    }
    return commit(jobs, attempt: attemptPlainly)
  }

  private func commit(
    _ jobs: [TransactionJob<SQLiteTransaction>], attempt: (TransactionJob<SQLiteTransaction>) throws -> Actions
  ) -> [Acknowledger.Outcome] {
    do {
      try connection.run("BEGIN IMMEDIATE")
    } catch {
      gate.close(after: connection)
      return fail(jobs, error)
    }
    var outcomes: [Acknowledger.Outcome] = []
    outcomes.reserveCapacity(jobs.count)
    for (index, job) in jobs.enumerated() {
      let outcome = Result { try attempt(job) }
      if let damage = connection.damage {
        // What the batch has read or written so far may be wrong as well.
        rollBack()
        gate.close(after: connection)
        return fail(jobs, damage)
      }
      if connection.isAutocommit {
        // SQLite gave the whole transaction up (disk full, I/O error): the others lost their effects with it.
        // They are repeatable, so each gets a transaction of its own.
        job.finish(outcome.error)
        return commitSingly(outcomes.map(\.job) + jobs[(index + 1)...])
      }
      if outcome.error is NeedsSavepoints {
        rollBack()
        cautiousBatches = SQLiteLimits.cautiousBatches
        return commit(jobs, attempt: attemptInSavepoint)
      }
      outcomes.append(Acknowledger.Outcome(job: job, result: outcome))
    }
    do {
      try connection.run("COMMIT")
    } catch {
      rollBack()
      gate.close(after: connection)
      // A constraint that was deferred to the commit is one transaction's fault, not that of all.
      if error.code == .foreignKeyViolation && jobs.count > 1 { return commitSingly(jobs) }
      return fail(jobs, error)
    }
    commits.withLock { $0 += 1 }
    // Refusals come last too: they may rest on what others of the batch wrote, which is true only now.
    cache.committed(jobs.count, on: connection)
    return outcomes
  }

  private func commitSingly(_ jobs: [TransactionJob<SQLiteTransaction>]) -> [Acknowledger.Outcome] {
    for job in jobs { acknowledger.acknowledge(commit([job])) }
    return []
  }

  private func fail(_ jobs: [TransactionJob<SQLiteTransaction>], _ error: any Error) -> [Acknowledger.Outcome] {
    for job in jobs { job.finish(error) }
    return []
  }

  private func rollBack() {
    guard !connection.isAutocommit else { return }
    do {
      try connection.run("ROLLBACK")
    } catch {
      // Whether the handle is still in a transaction decides, not the statement's own result.
      precondition(connection.isAutocommit, "SQLite refuses to roll back: \(error)")
    }
  }

  /// Runs one body and lets what it did stand.
  private func attemptPlainly(_ job: TransactionJob<SQLiteTransaction>) throws -> Actions {
    let transaction = SQLiteTransaction(connection)
    let changes = connection.totalChanges
    do {
      try job.run(transaction)
      return transaction.actions
    } catch {
      let hasWritten = connection.totalChanges != changes || transaction.hasDefined
      if connection.isAutocommit || !(hasWritten || error is RetryTransaction) { throw error }
      throw NeedsSavepoints()
    }
  }

  /// Runs one body in a savepoint, again if it asks for it.
  private func attemptInSavepoint(_ job: TransactionJob<SQLiteTransaction>) throws -> Actions {
    if runsBodiesTwice {
      try connection.run("SAVEPOINT body")
      do {
        try job.run(SQLiteTransaction(connection))
      } catch  where connection.isAutocommit {
        throw error
      } catch {
        // The run that counts will say it again.
      }
      try undo()
    }
    for _ in 0..<SQLiteLimits.attempts {
      try connection.run("SAVEPOINT body")
      let transaction = SQLiteTransaction(connection)
      do {
        try job.run(transaction)
        try connection.run("RELEASE body")
        return transaction.actions
      } catch is RetryTransaction {
        try undo()
      } catch {
        try undo()
        throw error
      }
    }
    throw StorageError(.conflict, operation: "write", message: "lost a race \(SQLiteLimits.attempts) times")
  }

  /// Takes back what the body of the open savepoint did.
  private func undo() throws {
    // After some errors SQLite has taken back everything already, savepoints included.
    guard !connection.isAutocommit else { return }
    try connection.run("ROLLBACK TO body")
    try connection.run("RELEASE body")
  }
}

extension Result {
  fileprivate var error: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
