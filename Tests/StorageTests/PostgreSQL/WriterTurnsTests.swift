import Base
import Testing

@testable import StoragePostgreSQL

/// When the writers of a process take turns, and share them with those of other processes.
@Suite struct WriterTurnsTests {
  private let start = ContinuousClock.now

  @Test func `turns end after a while`() {
    let turns = WriterTurns()
    #expect(!turns.areTaken(at: start))
    turns.noteConflict(at: start)
    #expect(turns.areTaken(at: start))
    #expect(turns.areTaken(at: start + PostgreSQLLimits.firstTurns - .milliseconds(1)))
    #expect(!turns.areTaken(at: start + PostgreSQLLimits.firstTurns))
  }

  @Test func `a fight that goes on makes turns longer, up to a limit`() {
    let turns = WriterTurns()
    var (now, length) = (start, PostgreSQLLimits.firstTurns)
    for _ in 0..<10 {
      turns.noteConflict(at: now)
      // One that had begun before does not count.
      turns.noteConflict(at: now + .milliseconds(1))
      #expect(!turns.areTaken(at: now + length))
      #expect(turns.areTaken(at: now + length - .milliseconds(1)))
      now += length
      length = min(length * 2, PostgreSQLLimits.longestTurns)
    }
    #expect(length == PostgreSQLLimits.longestTurns)
  }

  @Test func `a fight that was over begins with short turns again`() {
    let turns = WriterTurns()
    turns.noteConflict(at: start)
    turns.noteConflict(at: start + PostgreSQLLimits.firstTurns)
    // Twice as long, and as long again without a conflict.
    let later = start + PostgreSQLLimits.firstTurns * 5
    turns.noteConflict(at: later)
    #expect(!turns.areTaken(at: later + PostgreSQLLimits.firstTurns))
  }

  @Test func `turns are shared for a while after a lock did not come in one`() {
    let turns = WriterTurns()
    turns.noteConflict(at: start)
    #expect(!turns.areShared(at: start))
    turns.noteConflictInTurn(at: start)
    #expect(turns.areShared(at: start + PostgreSQLLimits.sharedTurns - .milliseconds(1)))
    #expect(!turns.areShared(at: start + PostgreSQLLimits.sharedTurns))
    // Each of them counts from its own time.
    turns.noteConflictInTurn(at: start + .milliseconds(1))
    #expect(turns.areShared(at: start + PostgreSQLLimits.sharedTurns))
  }
}
