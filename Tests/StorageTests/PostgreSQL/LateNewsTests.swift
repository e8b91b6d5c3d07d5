import Base
import Dispatch
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

/// A commit of which its own process is told late, when others have seen it.
@Suite(.timeLimit(.minutes(60))) struct LateNewsTests {
  @Test func `a job that has begun is not interrupted by the news of the change that set it`() async throws {
    let clock = ManualClock()
    let database = try await PostgreSQLDatabase.open(
      url: PostgreSQLServer.common().makeSchema(), migrations: [], clock: clock, options: .ofTests)
    try await closing(database) {
      let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 7))
      let (isTold, hasBegun, isSet) = (DispatchSemaphore(value: 0), Locked(false), Locked(false))
      timers.work("film") { job in
        hasBegun.withLock { $0 = true }
        while !isSet.withLock({ $0 }) { await Task.yield() }
        try await job.write { _ in }
      }
      let change = Task {
        defer { isSet.withLock { $0 = true } }
        try await database.write { writer in
          // First: so the timers hear of it only when this has returned.
          writer.afterCommit { isTold.wait() }
          try timers.set("film", key: "a", due: clock.now(), in: writer)
        }
      }
      let run = Task {
        var count = 0
        repeat { count = try await timers.runDue() } while !hasBegun.withLock { $0 }
        return count
      }
      while !hasBegun.withLock({ $0 }) { await Task.yield() }
      isTold.signal()
      try await change.value
      #expect(try await run.value == 1)
      #expect(try await database.read { try timers.status("film", key: "a", in: $0) } == nil)
    }
  }
}
