import Base
import Glibc
import Storage

/// A node that works on jobs until it is killed: the test of jobs kills it in the middle of one.
///
/// A job counts to ten in steps of a transaction each, and says each step on standard output once it is durable.
struct JobWorker {
  let path: String

  static let steps = 10
  static let lease: Duration = .milliseconds(300)
  /// What a step takes beside its transaction.
  static let pause: Duration = .milliseconds(20)
  static let schema = Migration(
    "jobs", 1, "steps",
    sql: """
      CREATE TABLE job_steps (key TEXT NOT NULL, fence INTEGER NOT NULL, step INTEGER NOT NULL,
        PRIMARY KEY (key, fence, step)) WITHOUT ROWID;
      CREATE TABLE job_results (key TEXT NOT NULL, fence INTEGER NOT NULL, PRIMARY KEY (key)) WITHOUT ROWID;
      """)

  func run() async throws {
    let clock = SystemClock()
    let database = try await openDatabase(at: path, migrations: [Self.schema])
    let timers = Timers(database: database, clock: clock, random: SystemRandomSource())
    var policy = RetryPolicy()
    policy.attempts = 1000
    timers.work("count", policy: policy, atOnce: 4, lease: Self.lease) { job in
      let (key, fence) = (job.timer.key, job.timer.fence)
      for step in 1...Self.steps {
        try await job.write { writer in
          try writer.execute("INSERT INTO job_steps (key, fence, step) VALUES ($1, $2, $3)", key, fence, step)
        }
        say("\(key) \(step)\n")
        try await Task.sleep(for: Self.pause)
      }
      try await job.finish { writer in
        // Without ON CONFLICT: a second result would be an error, and the test would see it.
        try writer.execute("INSERT INTO job_results (key, fence) VALUES ($1, $2)", key, fence)
      }
      say("\(key) done\n")
    }
    timers.start { _ in }
    while true {
      // Whoever waits for a word of this process gets one, also when there is nothing left to do.
      try await Task.sleep(for: .milliseconds(100))
      say("alive\n")
    }
  }

  private func say(_ line: String) {
    let bytes = Array(line.utf8)
    _ = Glibc.write(STDOUT_FILENO, bytes, bytes.count)
  }
}
