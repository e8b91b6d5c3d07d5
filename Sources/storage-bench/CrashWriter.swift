import Base
import Cryptography
import Glibc
import Storage
import StorageSQLite
import Streaming

/// Writes until it is killed, and says on standard output what has been acknowledged, one line each: `topic number`.
///
/// Every write publishes an event and, under an idempotency key, a row; the test reads the lines from a pipe, kills
/// this process at any moment, and looks for each acknowledged write in the database.
struct CrashWriter {
  let path: String
  let callers: Int

  static let schema = Migration(
    "crash", 1, "numbers",
    sql:
      "CREATE TABLE crash_numbers (topic TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (topic, number)) WITHOUT ROWID;"
  )

  func run() async throws {
    let clock = SystemClock()
    let database = try await SQLiteDatabase.open(
      path: path, migrations: TopicStore.migrations + [Self.schema], clock: clock)
    let hub = TopicHub(database: database, clock: clock, key: SecretKey([UInt8](repeating: 1, count: 32)))
    await withTaskGroup(of: Void.self) { group in
      for caller in 0..<callers {
        group.addTask {
          let topic = Topic("crash", String(caller % 8))
          while true {
            guard let sequence = try? await write(topic, hub, database, clock) else { return }
            acknowledge("\(topic.name) \(sequence)\n")
          }
        }
      }
    }
  }

  private func write(
    _ topic: Topic, _ hub: TopicHub, _ database: SQLiteDatabase, _ clock: SystemClock
  ) async throws -> UInt64 {
    try await database.write { writer in
      let sequence = try hub.publish(topic, [1, 2, 3], in: writer)
      try writer.execute("INSERT INTO crash_numbers (topic, number) VALUES ($1, $2)", topic.name, sequence)
      return sequence
    }
  }

  /// One system call, so that lines of several callers do not mix: a pipe takes up to 4 KiB at once.
  private func acknowledge(_ line: String) {
    let bytes = Array(line.utf8)
    _ = Glibc.write(STDOUT_FILENO, bytes, bytes.count)
  }
}
