internal import Base

/// Has the writing threads of a process, and those of other processes beside them, take turns while they fight for the
/// same rows.
///
/// Batches that take the same rows in other orders wait for each other until one gives up, and then its work was in
/// vain. So once a lock did not come, the process writes through one connection at a time for a while, with larger
/// batches: 64 transactions on one hot row are then 64 updates and one commit. The while is short at first, and gets
/// longer when the fight goes on after it.
///
/// If a lock does not come in a turn either, another process has it, which may be waiting for one of this process just
/// so. Then the turns are shared by all processes that have come to this, by way of a lock at the server. Those who fight
/// with nobody but themselves never come to it, and so do not wait for each other.
final class WriterTurns: Sendable {
  private struct State {
    var end: ContinuousClock.Instant?
    var length = Duration.zero
    /// Until when turns are shared with other processes.
    var endOfSharing: ContinuousClock.Instant?
  }

  private let state = Locked(State())
  private let turn = Locked(())

  /// Whether turns are to be taken.
  func areTaken(at now: ContinuousClock.Instant) -> Bool {
    state.withLock { state in state.end.map { now < $0 } ?? false }
  }

  /// Whether those that are taken are to be shared with other processes.
  func areShared(at now: ContinuousClock.Instant) -> Bool {
    state.withLock { state in state.endOfSharing.map { now < $0 } ?? false }
  }

  /// A lock did not come.
  func noteConflict(at now: ContinuousClock.Instant) {
    state.withLock { state in
      // One whose transaction had begun before says nothing new.
      if let end = state.end, now < end { return }
      let goesOn = state.end.map { now < $0 + state.length } ?? false
      state.length = goesOn ? min(state.length * 2, PostgreSQLLimits.longestTurns) : PostgreSQLLimits.firstTurns
      state.end = now + state.length
    }
  }

  /// A lock did not come in a turn of this process alone.
  func noteConflictInTurn(at now: ContinuousClock.Instant) {
    state.withLock { $0.endOfSharing = now + PostgreSQLLimits.sharedTurns }
  }

  /// Runs `body` while no other thread runs its own.
  func takeTurn<Result: Sendable>(_ body: () -> Result) -> Result {
    turn.withLock { _ in body() }
  }
}
