import Base
import ChildProcess
import Foundation
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import StorageSQLite
import Streaming
import Testing

/// A process runs a mixed load as fast as it can and says over a pipe what has been acknowledged. It is killed with
/// SIGKILL at a random moment, again and again, on the same database; or the database server under it is.
/// OCTET_CRASH_ROUNDS sets how often on SQLite, OCTET_SERVER_CRASH_ROUNDS on PostgreSQL (`make storm`).
@Suite(.timeLimit(.minutes(240))) struct CrashTests {
  private static let callers = 32

  @Test func `kill -9 loses no acknowledged write and doubles none, and topics stay dense`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-crash-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    try await Self.run(rounds: Rounds.count("OCTET_CRASH_ROUNDS", otherwise: 8), path) {
      try await SQLiteDatabase.open(path: path, migrations: TopicStore.migrations, clock: SystemClock())
    }
  }

  @Test(arguments: [false, true])
  func `kill -9 on PostgreSQL, of the process or of the server, does as little harm`(killsServer: Bool) async throws {
    let server = try await PostgreSQLServer(settings: killsServer ? ["fsync=on"] : [])
    let url = try await server.makeDatabase()
    let rounds = Rounds.count("OCTET_SERVER_CRASH_ROUNDS", otherwise: 2)
    try await Self.run(rounds: rounds, url, server: killsServer ? server : nil) {
      // What the process had asked for may still be committed when it is dead.
      try await server.wait(until: "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'octet')")
      return try await insist {
        try await PostgreSQLDatabase.open(
          url: url, migrations: TopicStore.migrations, clock: SystemClock(), options: .ofTests)
      }
    }
    await server.stop()
  }

  /// - Parameters:
  ///   - server: is killed in every round before the process is.
  ///   - open: opens the database as a process would after the crash.
  private static func run(
    rounds: Int, _ path: String, server: PostgreSQLServer? = nil, _ open: () async throws -> any Database
  ) async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    var audit = CrashAudit()
    for round in 1...rounds {
      // Some rounds end while the database is being opened.
      let bytes = round % 4 == 0 ? Int(random.below(100)) : Int(random.below(60_000)) + 1
      let more = Int(random.below(30_000)) + 1
      audit.add(
        try await OSThread.run(name: "crash-round") { try Self.run(path, killAfter: bytes, server, thenAfter: more) })
      let database = try await open()
      if round == rounds { try await audit.finish(database) } else { try await audit.check(database) }
      await database.close()
    }
    #expect(!audit.isEmpty, "seed \(seed)")
  }

  /// Runs the writing process until it has acknowledged about so many bytes' worth of writes, then kills it; or the
  /// server, and the process after some more.
  /// - Returns: everything that it acknowledged. The last line may be cut.
  private static func run(
    _ path: String, killAfter bytes: Int, _ server: PostgreSQLServer?, thenAfter more: Int
  ) throws -> String {
    let process = try ChildProcess(program.path, ["crash", "--path", path, "--callers", String(callers)])
    var output = process.readOutput(atLeast: bytes)
    if let server {
      try server.kill()
      output += process.readOutput(atLeast: more)
    }
    process.kill()
    output += process.readOutput()
    process.wait()
    // A line that was cut was not acknowledged in full.
    let end = output.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return String(decoding: output[..<end], as: UTF8.self)
  }

  /// The helper is built beside the tests.
  private static var program: URL {
    URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "storage-bench")
  }
}
