internal import Base
internal import Storage

/// Runs write bodies on one connection, from one thread.
///
/// When more wait than there are connections, several share a transaction and its commit: without savepoints, as most
/// bodies succeed. If one of them fails after it has written, all is taken back and each gets a transaction of its own.
/// Nobody is told of success before the commit.
///
/// A statement that was sent without waiting may fail when its body has gone on. All is taken back then as well, and the
/// body whose statement it was runs with waiting, so that it meets its failure where that belongs.
///
/// If a lock does not come soon, all is taken back as well, and done again in turn: see `WriterTurns`. A body that changes
/// the schema, which may take long, runs by itself instead.
final class PostgreSQLWriter: @unchecked Sendable {
  // Unchecked because the session belongs to the writer's thread, and so do the bodies that have had their turn.
  private let session: PostgreSQLSession
  private let order: CommitOrder
  private let turns: WriterTurns

  /// Bodies whose turn has shown that they take long.
  private var slow: [Job] = []

  private typealias Job = TransactionJob<PostgreSQLTransaction>
  private typealias Actions = [@Sendable () -> Void]

  /// - Parameters:
  ///   - order: shared by all writers of a database.
  ///   - turns: likewise.
  init(_ session: PostgreSQLSession, _ order: CommitOrder, _ turns: WriterTurns) {
    self.session = session
    self.order = order
    self.turns = turns
  }

  private var options: PostgreSQLOptions { session.options }

  /// Serves the queue until it is closed and empty.
  func run(_ queue: BlockingQueue<TransactionJob<PostgreSQLTransaction>>) {
    let most = options.runsBodiesTwice ? 1 : max(1, options.transactionsPerCommit)
    while true {
      var jobs = queue.pop(atMost: most, share: options.writers)
      if jobs.isEmpty { return session.disconnect() }
      if !turns.areTaken(at: .now) {
        jobs = commit(jobs, .beside)
        if jobs.isEmpty { continue }
        turns.noteConflict(at: .now)
      }
      let late = turns.takeTurn {
        jobs += queue.popWaiting(atMost: most - jobs.count)
        return commitInTurn(jobs)
      }
      for job in late {
        // Somebody who takes no turns holds what some of them need; they are not to hold up the others.
        if late.count > 1, turns.takeTurn({ commitAlone(job, .inTurnOfNodes) }) { continue }
        commitAlone(job, .alone)
      }
      for job in slow { commitAlone(job, .alone) }
      slow = []
    }
  }

  /// - Returns: those that did not get a lock in time.
  private func commitInTurn(_ jobs: [Job]) -> [Job] {
    var jobs = jobs
    if !turns.areShared(at: .now) {
      jobs = commit(jobs, .inTurn)
      if jobs.isEmpty { return [] }
      turns.noteConflictInTurn(at: .now)
    }
    return commit(jobs, .inTurnOfNodes)
  }

  /// Runs bodies together if that goes, and otherwise one by one.
  /// - Returns: those that did not get a lock in time; nothing has come of them.
  private func commit(_ jobs: [Job], _ lockWait: LockWait) -> [Job] {
    if jobs.count > 1 {
      switch commitTogether(jobs, lockWait) {
      case .told: return []
      case .conflict: return jobs
      case .failed: break
      }
    }
    return jobs.filter { !commitAlone($0, lockWait) }
  }

  /// What became of a batch.
  private enum BatchOutcome {
    /// It was committed, or its outcome is unknown; everybody has been told.
    case told
    /// A lock did not come. Nothing is written, and nobody has been told anything.
    case conflict
    /// The same for another reason.
    case failed

    init(_ failure: PostgreSQLFailure?) {
      switch failure?.kind {
      case .lock, .lostRace: self = .conflict
      default: self = .failed
      }
    }
  }

  /// Runs all bodies in one transaction.
  private func commitTogether(_ jobs: [Job], _ lockWait: LockWait) -> BatchOutcome {
    guard let connection = try? session.connected() else { return .failed }
    connection.begin(isReadOnly: false, settings: session.settings + lockWait.settings(options))
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
          return BatchOutcome(transaction.failure)
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
      guard error.leavesCommitUnknown else { return BatchOutcome(error) }
      for job in jobs { job.finish(Self.unknown(error)) }
    }
    return .told
  }

  /// Commits, and then has all told that it is done. If that fails, nothing stays open.
  /// - Parameter hasActions: whether the order among the commits matters.
  private func commit(
    _ connection: PostgreSQLConnection, hasActions: Bool, _ tell: @escaping @Sendable () -> Void
  ) throws(PostgreSQLFailure) {
    do {
      if hasActions {
        try commitInOrder(connection, tell)
      } else {
        try connection.commit()
        tell()
      }
    } catch {
      connection.rollBack()
      throw error
    }
  }

  private func commitInOrder(
    _ connection: PostgreSQLConnection, _ tell: @escaping @Sendable () -> Void
  ) throws(PostgreSQLFailure) {
    // A statement that still has to wait for another transaction's row would come after that one, whose number may be
    // the higher one.
    try connection.settle()
    let number = order.begin()
    do {
      try connection.commit { [order] pause in order.isOvertaken(number, after: pause) }
    } catch {
      order.fail(number)
      throw error
    }
    order.end(number, tell)
  }

  /// Runs one body in a transaction of its own, again as long as it loses races or connections.
  /// - Returns: false if a lock did not come in time, which is a refusal for one that waits by itself. Nothing is written
  ///   then, and nobody has been told; nor is it of one that is found to be slow.
  @discardableResult
  private func commitAlone(_ job: Job, _ lockWait: LockWait) -> Bool {
    var outageBegan: ContinuousClock.Instant?
    var attempt = 0
    var waits = false
    while true {
      attempt += 1
      do {
        try commit(job, lockWait, waits: waits)
        return true
      } catch let failure as PostgreSQLFailure {
        // What came too late comes in its place when each statement is waited for.
        waits = waits || failure.isLate
        let mayRunAgain =
          switch failure.kind {
          case .lostRace, .foreignSession: attempt < PostgreSQLLimits.attempts
          case .connection: failure.isLate || session.isPatient(since: &outageBegan)
          case .final: failure.isLate
          case .lock, .sharing: false
          }
        if failure.kind == .lock, lockWait != .alone { return false }
        if failure.kind == .sharing {
          slow.append(job)
          return true
        }
        guard mayRunAgain else {
          job.finish(failure.error)
          return true
        }
        if failure.kind != .final { session.waitBeforeRetry(attempt) }
      } catch {
        job.finish(error)
        return true
      }
    }
  }

  /// - Throws: `PostgreSQLFailure` if nothing has come of it and another run may help; other errors are the job's own.
  private func commit(_ job: Job, _ lockWait: LockWait, waits: Bool) throws {
    let connection = try session.connected()
    let settings = session.settings + lockWait.settings(options)
    let owner = lockWait.isInTurn ? nil : session
    if options.runsBodiesTwice {
      connection.begin(isReadOnly: false, settings: settings)
      // The run that counts says what is wrong.
      try? job.run(PostgreSQLTransaction(connection, of: owner))
      connection.rollBack()
    }
    connection.begin(isReadOnly: false, settings: settings)
    let transaction = PostgreSQLTransaction(connection, of: owner, waits: waits)
    do {
      try job.run(transaction)
    } catch {
      connection.rollBack()
      if let failure = transaction.failure {
        note(failure)
        // The body may have a word of its own for it.
        if failure.kind == .final, !failure.isLate { throw error }
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
      if error.leavesCommitUnknown { throw Self.unknown(error) }
      throw error
    }
  }

  private func note(_ failure: PostgreSQLFailure) {
    switch failure.kind {
    case .connection: session.disconnect()
    case .foreignSession: session.forgetStatements()
    case .lostRace, .lock, .sharing, .final: break
    }
  }

  private static func unknown(_ failure: PostgreSQLFailure) -> StorageError {
    StorageError(.outcomeUnknown, operation: "commit", message: failure.error.message)
  }
}
