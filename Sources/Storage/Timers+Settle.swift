internal import Base

extension Timers {
  /// How an attempt ended that has not brought its timer to its end.
  struct Outcome: Sendable {
    enum Fate: Sendable {
      /// It comes again, with so many attempts behind it.
      case again(at: Instant, attempts: Int, error: String?)
      /// It becomes a dead letter, after so many attempts, for this reason; later if that cannot be done now.
      case givenUp(String, attempts: Int, orAgain: Instant)
    }

    let timer: DueTimer
    let fate: Fate

    /// That of an attempt which has failed.
    static func failed(_ timer: DueTimer, _ error: any Error, _ policy: RetryPolicy, retryAt: Instant) -> Outcome {
      let words = String(describing: error)
      if error.costsNoAttempt {
        return Outcome(timer: timer, fate: .again(at: retryAt, attempts: timer.attempt - 1, error: words))
      }
      if timer.attempt >= policy.attempts {
        return Outcome(timer: timer, fate: .givenUp(words, attempts: timer.attempt, orAgain: retryAt))
      }
      return Outcome(timer: timer, fate: .again(at: retryAt, attempts: timer.attempt, error: words))
    }

    /// That of one which was leased to be given up.
    static func usedUp(_ timer: DueTimer, _ policy: RetryPolicy, retryAt: Instant) -> Outcome {
      let words = timer.lastError ?? "no attempt came to an end"
      return Outcome(timer: timer, fate: .givenUp(words, attempts: policy.attempts, orAgain: retryAt))
    }

    /// As if it had not been tried.
    static func untried(_ timer: DueTimer, due: Instant) -> Outcome {
      Outcome(timer: timer, fate: .again(at: due, attempts: timer.attempt - 1, error: nil))
    }

    /// Whether it is put down as soon as the database takes it, once it has met this error.
    func isKept(after error: any Error) -> Bool {
      if case .again = fate { error.costsNoAttempt } else { false }
    }

    /// What is put down in place of a giving up that has met this error, which may come from what is to be done then. So
    /// nothing that is kept can fail by itself, and keep this node from leasing for ever.
    func later(after error: any Error) -> Outcome? {
      guard case .givenUp(let words, let attempts, let retryAt) = fate else { return nil }
      // With each vain one more is waited for the next.
      let counted = error.costsNoAttempt ? attempts : timer.attempt
      return Outcome(timer: timer, fate: .again(at: retryAt, attempts: counted, error: words))
    }
  }

  /// Puts an outcome down in a transaction of its own. What a database that is down does not take now is put down before
  /// this node leases again; if the node ends before, the lease makes the timer due again, and the attempt counts.
  func settle(_ outcome: Outcome) async throws {
    do {
      try await database.write { writer in try self.put(outcome, writer) }
    } catch {
      if outcome.isKept(after: error) { state.withLock { $0.unsettled.append(outcome) } }
      if let later = outcome.later(after: error) { try await settle(later) }
      throw error
    }
  }

  /// Puts down what could not be put down before. They are no more than run at the same time, as nothing is leased until
  /// none is left.
  func settleRest() async throws {
    while let outcome = state.withLock({ $0.unsettled.popLast() }) {
      try await settle(outcome)
      changeBoard.note(outcome.timer.kind)
    }
  }

  /// Does nothing if the timer was leased again, set anew or cancelled meanwhile.
  func put(_ outcome: Outcome, _ writer: any Writer) throws {
    let timer = outcome.timer
    switch outcome.fate {
    case .again(let due, let attempts, let error):
      try writer.send(
        """
        UPDATE octet_timers SET due = $4, attempts = $5, is_leased = 0, error = COALESCE($6, error)
        WHERE kind = $1 AND key = $2 AND fence = $3
        """, timer.kind, timer.key, timer.fence, due, attempts, error)
    case .givenUp(let error, let attempts, _):
      try giveUp(timer, attempts: attempts, error: error, writer)
    }
  }
}
