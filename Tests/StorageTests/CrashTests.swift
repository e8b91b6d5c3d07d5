import Base
import ChildProcess
import Foundation
import Storage
import StorageSQLite
import Streaming
import Testing

/// A process runs a mixed load as fast as it can and says over a pipe what has been acknowledged. It is killed with
/// SIGKILL at a random moment, again and again, on the same database. OCTET_CRASH_ROUNDS sets how often (`make storm`).
@Suite struct CrashTests {
  private static let rounds = ProcessInfo.processInfo.environment["OCTET_CRASH_ROUNDS"].flatMap(Int.init) ?? 8
  private static let callers = 32

  @Test func `kill -9 loses no acknowledged write and doubles none, and topics stay dense`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-crash-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    var audit = CrashAudit()
    for round in 1...Self.rounds {
      // Some rounds end while the database is being opened.
      let bytes = round % 4 == 0 ? Int(random.below(100)) : Int(random.below(60_000)) + 1
      audit.add(try await OSThread.run(name: "crash-round") { try Self.run(path, killAfter: bytes) })
      let database = try await Self.open(path)
      if round == Self.rounds { try await audit.finish(database) } else { try await audit.check(database) }
      await database.close()
    }
    #expect(!audit.isEmpty, "seed \(seed)")
  }

  /// Opens the database as a server would after the crash.
  private static func open(_ path: String) async throws -> SQLiteDatabase {
    try await SQLiteDatabase.open(path: path, migrations: TopicStore.migrations, clock: SystemClock())
  }

  /// Runs the writing process until it has acknowledged about so many bytes' worth of writes, then kills it.
  /// - Returns: everything that it acknowledged. The last line may be cut.
  private static func run(_ path: String, killAfter bytes: Int) throws -> String {
    let process = try ChildProcess(program.path, ["crash", "--path", path, "--callers", String(callers)])
    var output = process.readOutput(atLeast: bytes)
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
