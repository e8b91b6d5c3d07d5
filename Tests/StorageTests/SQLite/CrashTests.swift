import Base
import ChildProcess
import Foundation
import Storage
import StorageSQLite
import Streaming
import Testing

/// A process writes as fast as it can and says over a pipe what has been acknowledged. It is killed with SIGKILL at a
/// random moment, again and again, on the same database.
@Suite struct CrashTests {
  private static let rounds = 12
  private static let callers = 32

  @Test func `kill -9 loses no acknowledged write, and topics stay dense`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-crash-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    var acknowledged: Set<String> = []
    for round in 1...Self.rounds {
      let bytes = Int(random.below(100_000)) + 1
      let output = try await OSThread.run(name: "crash-round") { try Self.run(path, killAfter: bytes) }
      acknowledged.formUnion(output.split(separator: "\n").map(String.init))
      let lost = try await lostWrites(path, acknowledged)
      #expect(lost.isEmpty, "round \(round), seed \(seed)")
    }
    #expect(!acknowledged.isEmpty)
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
    return String(decoding: output.prefix(through: output.lastIndex(of: UInt8(ascii: "\n")) ?? 0), as: UTF8.self)
  }

  /// The helper is built beside the tests.
  private static var program: URL {
    URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "storage-bench")
  }

  /// Opens the database as a server would after the crash and looks for every acknowledged write.
  private func lostWrites(_ path: String, _ acknowledged: Set<String>) async throws -> Set<String> {
    let database = try await SQLiteDatabase.open(path: path, migrations: TopicStore.migrations, clock: SystemClock())
    let (written, topics) = try await database.read { reader in
      (
        try reader.rows("SELECT topic, number FROM crash_numbers") { "\($0[0] as String) \($0[1] as Int)" },
        try reader.rows(
          """
          SELECT t.topic, t.last_sequence, count(*), min(e.sequence), max(e.sequence),
            (SELECT count(*) FROM crash_numbers n WHERE n.topic = t.topic)
          FROM octet_topics t JOIN octet_topic_events e ON e.topic = t.topic GROUP BY t.topic, t.last_sequence
          """
        ) { row in (0...4).map { row[$0 + 1] as Int } }
      )
    }
    await database.close()
    for topic in topics {
      // Last number, events, their first and last, rows written with them.
      #expect(topic == [topic[0], topic[0], 1, topic[0], topic[0]])
    }
    return acknowledged.subtracting(written)
  }
}
