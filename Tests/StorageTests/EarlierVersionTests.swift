import Base
import ChildProcess
import Cryptography
import Foundation
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import StorageSQLite
import Testing

@testable import Streaming

/// A database as each earlier version left it, with data, comes up to this version's schema, and nothing is lost. The
/// dumps are in Tests/Golden/versions; a released one never changes.
@Suite struct EarlierVersionTests {
  private static let clock = ManualClock()
  private static let golden = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Golden")
    .standardized

  @Test(arguments: [1]) func `from an earlier version on SQLite`(version: Int) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-version-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let dump = Self.golden.appending(path: "versions/\(version)-sqlite.sql").path
    try await Self.run(
      "python3",
      ["-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())", path, dump])
    try await Self.check(
      "schema-sqlite.sql",
      SQLiteDatabase.open(path: path, migrations: GoldenSchemaTests.migrations, clock: Self.clock))
  }

  @Test(arguments: [1]) func `from an earlier version on PostgreSQL`(version: Int) async throws {
    let url = try await PostgreSQLServer.common().makeDatabase()
    let dump = Self.golden.appending(path: "versions/\(version)-postgresql.sql").path
    try await Self.run("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", dump])
    try await Self.check(
      "schema-postgresql.sql",
      PostgreSQLDatabase.open(url: url, migrations: GoldenSchemaTests.migrations, clock: Self.clock, options: .ofTests))
  }

  private static func run(_ program: String, _ arguments: [String]) async throws {
    let result = try await OSThread.run(name: "load") { try ChildProcess.run(program, arguments) }
    try #require(result.status == 0, "\(result.errors)")
  }

  private static func check(_ golden: String, _ database: some Database) async throws {
    #expect(
      try await database.schemaText() == String(contentsOf: Self.golden.appending(path: golden), encoding: .utf8))

    let key = try #require(
      RequestKey(
        caller: Identifier(rawValue: 1), method: "octet.test.v1.Test/Do",
        requestID: "01890a5d-ac96-774b-bcce-b302099a8057"))
    let repeated = try await database.write { try $0.once(key, hash: [1], now: clock.now()) { [] } }
    #expect(repeated.isReplay && repeated.reply == [10, 11])

    let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 1))
    let ran = Locked<[[UInt8]]>([])
    timers.handle("note") { writer, timer in writer.afterCommit { ran.withLock { $0.append(timer.payload) } } }
    #expect(try await timers.runDue() == 1)
    let dead = try #require(try await database.read { try timers.dead(limit: 9, in: $0) }.first)
    #expect(try await database.write { try timers.retry(dead: dead.id, in: $0) })
    #expect(try await timers.runDue() == 1)
    #expect(ran.withLock { $0 } == [[9], [7]])
    #expect(try await database.read { try timers.due("note", key: "b", in: $0) } != nil)

    let outbox = Outbox.patient(database, clock, SeededRandomSource(seed: 1))
    let sent = Locked<[UInt8]>([])
    outbox.deliver("mail") { entry in sent.withLock { $0 += entry.payload } }
    #expect(try await outbox.deliverWaiting() == 2)
    #expect(sent.withLock { $0 } == [1, 2])

    let topic = Topic("ride", "1")
    let hub = TopicHub(
      database: database, clock: clock, key: SecretKey([UInt8](repeating: 7, count: SecretKey.standardLength)))
    // A token as the first version made it.
    let token = hub.tokens.make(topic, TopicPosition(sequence: 1, born: 0))
    try await database.write { try hub.publish(topic, [4], in: $0) }
    let subscription = try await hub.resume(topic, token: token)
    for expected in UInt8(2)...4 { #expect(try await subscription.next().payload == [expected]) }
    await database.close()
  }
}
