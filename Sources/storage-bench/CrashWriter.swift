import Base
import Cryptography
import Glibc
import Storage
import StorageSQLite
import Streaming

/// Runs the mixed load until it is killed, and says on standard output what has been acknowledged, one line each.
///
/// The test reads the lines from a pipe, kills this process at any moment, and looks for each acknowledged write in the
/// database.
struct CrashWriter {
  let path: String
  let callers: Int

  func run() async throws {
    let clock = SystemClock()
    let database = try await open(clock)
    let load = CrashLoad(
      database: database,
      hub: TopicHub(database: database, clock: clock, key: SecretKey([UInt8](repeating: 1, count: 32))),
      timers: Timers(database: database, clock: clock, random: SystemRandomSource()),
      outbox: Outbox(database: database, clock: clock, random: SystemRandomSource()), clock: clock,
      acknowledge: Self.write)
    try await load.run(callers: callers)
  }

  private func open(_ clock: any WallClock) async throws -> any Database {
    let migrations = TopicStore.migrations + [CrashLoad.schema]
    if path.hasPrefix("postgres://") { return try await openDatabase(at: path, migrations: migrations) }
    var options = SQLiteOptions()
    // Short, so that the process is killed in checkpoints as well.
    options.checkpointPages = 200
    return try await SQLiteDatabase.open(path: path, migrations: migrations, clock: clock, options: options)
  }

  /// One system call, so that lines of several callers do not mix: a pipe takes up to 4 KiB at once.
  @Sendable private static func write(_ line: String) {
    let bytes = Array(line.utf8)
    // The test that listens may have died itself.
    if Glibc.write(STDOUT_FILENO, bytes, bytes.count) < 0 { exit(1) }
  }
}
