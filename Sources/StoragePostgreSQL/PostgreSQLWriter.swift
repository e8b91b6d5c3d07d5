internal import Base
internal import Storage

/// Runs write bodies on one connection, from one thread.
///
/// When more wait than there are connections, several share a transaction and its commit: without savepoints, as most
/// bodies succeed. If one of them fails after it has written, or a lock does not come soon, all is taken back and each
/// gets a transaction of its own. Nobody is told of success before the commit.
final class PostgreSQLWriter: @unchecked Sendable {
  // Unchecked because the session belongs to the writer's thread.
  private let session: PostgreSQLSession
  private let order: CommitOrder

  private typealias Job = TransactionJob<PostgreSQLTransaction>
  private typealias Actions = [@Sendable () -> Void]

  /// - Parameter order: shared by all writers of a database.
  init(_ session: PostgreSQLSession, _ order: CommitOrder) {
    self.session = session
    self.order = order
  }

  private var options: PostgreSQLOptions { session.options }

  /// Serves the queue until it is closed and empty.
  func run(_ queue: BlockingQueue<TransactionJob<PostgreSQLTransaction>>) {
    let most = options.runsBodiesTwice ? 1 : max(1, options.transactionsPerCommit)
    while true {
      let jobs = queue.pop(atMost: most, share: options.writers)
      if jobs.isEmpty { return session.disconnect() }
      if jobs.count > 1, commitTogether(jobs) { continue }
      for job in jobs { commitAlone(job) }
    }
  }

  /// Runs all bodies in one transaction.
  /// - Returns: false if nothing came of it: nothing is written, and nobody has been told anything.
  private func commitTogether(_ jobs: [Job]) -> Bool {
    guard let connection = try? session.connected() else { return false }
    let lockTimeout = "SET LOCAL lock_timeout = \(PostgreSQLLimits.batchLockTimeout.inMilliseconds)"
    connection.begin(isReadOnly: false, settings: session.settings + [lockTimeout])
    var outcomes: [Result<Actions, any Error>] = []
    outcomes.reserveCapacity(jobs.count)
    for job in jobs {
      let transaction = PostgreSQLTransaction(connection)
      do {
        try job.run(transaction)
        outcomes.append(.success(transaction.actions))
      } catch {
        if transaction.failure != nil || transaction.hasWritten || error is RetryTransaction {
          connection.rollBack()
          return false
        }
        outcomes.append(.failure(error))
      }
    }
    let hasActions = outcomes.contains { outcome in
      if case .success(let actions) = outcome { !actions.isEmpty } else { false }
    }
    do {
      try commit(connection, hasActions: hasActions) { [outcomes] in
        // Refusals come last too: they may rest on what others of the batch wrote, which is true only now.
        for (job, outcome) in zip(jobs, outcomes) {
          switch outcome {
          case .success(let actions):
            for action in actions { action() }
            job.finish(nil)
          case .failure(let error):
            job.finish(error)
          }
        }
      }
    } catch {
      guard error.kind == .connection else { return false }
      for job in jobs { job.finish(Self.unknown(error)) }
    }
    return true
  }

  /// Commits, and then has all told that it is done.
  /// - Parameter hasActions: whether the order among the commits matters.
  private func commit(
    _ connection: PostgreSQLConnection, hasActions: Bool, _ tell: @escaping @Sendable () -> Void
  ) throws(PostgreSQLFailure) {
    guard hasActions else {
      try connection.commit()
      return tell()
    }
    let number = order.begin()
    do {
      try connection.commit()
    } catch {
      order.end(number) {}
      throw error
    }
    order.end(number, tell)
  }

  /// Runs one body in a transaction of its own, again as long as it loses races or connections.
  private func commitAlone(_ job: Job) {
    let began = ContinuousClock.now
    var attempt = 0
    while true {
      attempt += 1
      do {
        return try commit(job)
      } catch let failure as PostgreSQLFailure {
        let mayRunAgain =
          switch failure.kind {
          case .lostRace, .foreignSession: attempt < PostgreSQLLimits.attempts
          case .connection: ContinuousClock.now - began < options.patience
          case .final: false
          }
        guard mayRunAgain else { return job.finish(failure.error) }
        session.waitBeforeRetry(attempt)
      } catch {
        return job.finish(error)
      }
    }
  }

  /// - Throws: `PostgreSQLFailure` if nothing has come of it and another run may help; other errors are the job's own.
  private func commit(_ job: Job) throws {
    let connection = try session.connected()
    if options.runsBodiesTwice {
      connection.begin(isReadOnly: false, settings: session.settings)
      // The run that counts says what is wrong.
      try? job.run(PostgreSQLTransaction(connection))
      connection.rollBack()
    }
    connection.begin(isReadOnly: false, settings: session.settings)
    let transaction = PostgreSQLTransaction(connection)
    do {
      try job.run(transaction)
    } catch {
      connection.rollBack()
      if let failure = transaction.failure {
        note(failure)
        throw failure
      }
      if error is RetryTransaction { throw PostgreSQLFailure.askedToRunAgain }
      throw error
    }
    let actions = transaction.actions
    do {
      try commit(connection, hasActions: !actions.isEmpty) {
        for action in actions { action() }
        job.finish(nil)
      }
    } catch {
      note(error)
      if error.kind == .connection { throw Self.unknown(error) }
      throw error
    }
  }

  private func note(_ failure: PostgreSQLFailure) {
    switch failure.kind {
    case .connection: session.disconnect()
    case .foreignSession: session.treatAsPooled()
    case .lostRace, .final: break
    }
  }

  private static func unknown(_ failure: PostgreSQLFailure) -> StorageError {
    StorageError(.outcomeUnknown, operation: "commit", message: failure.error.message)
  }
}
