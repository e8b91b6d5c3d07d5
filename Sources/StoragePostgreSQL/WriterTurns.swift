internal import Base

/// Has the writing threads of a process take turns while they fight for the same rows.
///
/// Batches that take the same rows in other orders wait for each other until one gives up, and then its work was in
/// vain. So once a lock did not come, the process writes through one connection at a time for a while, with larger
/// batches: 64 transactions on one hot row are then 64 updates and one commit. The while is short at first, and gets
/// longer when the fight goes on after it.
final class WriterTurns: Sendable {
  private struct State {
    var end: ContinuousClock.Instant?
    var length = Duration.zero
  }

  private let state = Locked(State())
  private let turn = Locked(())

  /// Whether turns are to be taken.
  func areTaken(at now: ContinuousClock.Instant) -> Bool {
    state.withLock { state in state.end.map { now < $0 } ?? false }
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

  /// Runs `body` while no other thread runs its own.
  func takeTurn<Result: Sendable>(_ body: () -> Result) -> Result {
    turn.withLock { _ in body() }
  }
}
