import Base
import ChildProcess
import Foundation
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import StorageSQLite
import Testing

/// Processes work on jobs and are killed with SIGKILL in the middle of them, again and again: each job comes to its one
/// result in the end, and no step of a worker follows after another one has taken the job over.
@Suite struct JobCrashTests {
  private static let jobs = 12
  private static let kills = 8

  private static let schema = Migration(
    "jobs", 1, "steps",
    sql: """
      CREATE TABLE job_steps (key TEXT NOT NULL, fence INTEGER NOT NULL, step INTEGER NOT NULL,
        PRIMARY KEY (key, fence, step)) WITHOUT ROWID;
      CREATE TABLE job_results (key TEXT NOT NULL, fence INTEGER NOT NULL, PRIMARY KEY (key)) WITHOUT ROWID;
      """)

  @Test func `a process killed in mid-job, and started again`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-jobs-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let open: @Sendable () async throws -> any Database = {
      try await SQLiteDatabase.open(path: path, migrations: [Self.schema], clock: SystemClock())
    }
    try await setJobs(open())
    for _ in 0..<Self.kills { try await Self.workUntilKilled(path) }
    try await finishAndCheck(open())
  }

  @Test func `of two processes on one PostgreSQL one is killed in mid-job, and the other takes its jobs over`()
    async throws
  {
    let url = try await PostgreSQLServer.common().makeDatabase()
    let database = try await PostgreSQLDatabase.open(
      url: url, migrations: [Self.schema], clock: SystemClock(), options: .ofTests)
    try await setJobs(database, closing: false)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<2 {
        group.addTask { for _ in 0..<(Self.kills / 2) { try await Self.workUntilKilled(url) } }
      }
      try await group.waitForAll()
    }
    try await finishAndCheck(database)
  }

  private func setJobs(_ database: any Database, closing: Bool = true) async throws {
    let timers = Timers(database: database, clock: SystemClock(), random: SystemRandomSource())
    try await database.write { writer in
      for n in 0..<Self.jobs { try timers.set("count", key: "\(n)", due: SystemClock().now(), in: writer) }
    }
    if closing { await database.close() }
  }

  /// Runs a working process until it has said a few steps, then kills it.
  private static func workUntilKilled(_ place: String) async throws {
    let bytes = Int.random(in: 5...40)
    try await OSThread.run(name: "job-round") {
      let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "storage-bench")
      let process = try ChildProcess(program.path, ["jobs", "--path", place])
      _ = process.readOutput(atLeast: bytes)
      process.kill()
      _ = process.readOutput()
      process.wait()
    }
  }

  /// Does what is left in this process, and looks at what all of them have written.
  private func finishAndCheck(_ database: any Database) async throws {
    let timers = Timers(database: database, clock: SystemClock(), random: SystemRandomSource())
    let done = ParkingSpot()
    timers.work("count", policy: Self.patient, atOnce: 4, lease: .milliseconds(300)) { job in
      let (key, fence) = (job.timer.key, job.timer.fence)
      try await job.finish { writer in
        try writer.execute("INSERT INTO job_results (key, fence) VALUES ($1, $2)", key, fence)
      }
      done.unpark()
    }
    timers.start { _ in }
    let left: @Sendable () async throws -> Int = {
      try await database.read { try $0.first("SELECT count(*) FROM octet_timers") { $0[0] } ?? 0 }
    }
    while try await left() > 0 { try await done.park(atMost: .milliseconds(100)) }
    await timers.stop()
    let (results, steps) = try await database.read { reader in
      (
        try reader.rows("SELECT key, fence FROM job_results") { ($0[0] as String, $0[1] as Int64) },
        try reader.rows("SELECT key, fence, step FROM job_steps ORDER BY key, fence, step") {
          ($0[0] as String, $0[1] as Int64, $0[2] as Int)
        }
      )
    }
    #expect(Set(results.map(\.0)).count == Self.jobs && results.count == Self.jobs)
    let newest = Dictionary(uniqueKeysWithValues: results)
    for (key, attempt) in Dictionary(grouping: steps, by: \.0) {
      #expect(attempt.allSatisfy { $0.1 <= newest[key] ?? 0 }, "no attempt came after the one with the result")
      for (_, taken) in Dictionary(grouping: attempt, by: \.1) {
        #expect(taken.map(\.2) == Array(1...taken.count), "the steps of an attempt have no gap")
      }
    }
    await database.close()
  }

  private static var patient: RetryPolicy {
    var policy = RetryPolicy()
    policy.attempts = 1000
    return policy
  }
}
