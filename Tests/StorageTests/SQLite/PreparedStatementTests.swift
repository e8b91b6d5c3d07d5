import Base
import Storage
import StorageSQLite
import Testing

@testable import StorageSQLite

/// What each connection keeps of its statements, as SQLite's own list of them (`sqlite_stmt`) says.
@Suite struct PreparedStatementTests {
  private static let insert = "INSERT INTO samples (i) VALUES ($1)"
  private static let count = "SELECT count(*) FROM samples WHERE i < $1"

  private func withDatabase(_ body: (SQLiteDatabase) async throws -> Void) async throws {
    var options = SQLiteOptions()
    options.readers = 1
    let database = try await SQLiteDatabase.openTemporary(
      migrations: [Fixture.values], clock: ManualClock(), options: options)
    try await closing(database) { try await body(database) }
  }

  /// How many statements with such a beginning are prepared on the reader's or writer's connection, and how often they
  /// have run in all.
  private static func prepared(_ beginning: String, _ reader: any Reader) throws -> [Int] {
    try reader.first(
      "SELECT count(*), coalesce(sum(run), 0) FROM sqlite_stmt WHERE sql LIKE $1 || '%'", beginning
    ) { [$0[0], $0[1]] } ?? []
  }

  @Test func `a statement is prepared once, however many transactions run it`() async throws {
    try await withDatabase { database in
      for number in 0..<50 {
        try await database.write { try $0.execute(Self.insert, number) }
        let found = try await database.read { try $0.first(Self.count, number + 1) { $0[0] as Int } }
        #expect(found == number + 1)
      }
      #expect(try await database.write { try Self.prepared("INSERT INTO samples", $0) } == [1, 50])
      #expect(try await database.read { try Self.prepared("SELECT count(*) FROM samples", $0) } == [1, 50])
    }
  }

  @Test func `the same text from another place is the same statement`() async throws {
    try await withDatabase { database in
      for number in 0..<50 {
        try await database.write { writer in
          try writer.execute(Self.insert, number)
          try writer.execute(String(decoding: Array(Self.insert.utf8), as: UTF8.self), number)
        }
      }
      #expect(try await database.write { try Self.prepared("INSERT INTO samples", $0) } == [1, 100])
    }
  }

  @Test func `another text that comes to lie at the same place is another statement`() async throws {
    try await withDatabase { database in
      let wrong = try await database.read { reader in
        try (1000..<(1000 + 2 * SQLiteConnection.preparedStatementLimit)).filter { number in
          // Of one length, and gone before the next one is made.
          try reader.first("SELECT \(number) AS an_answer") { $0[0] as Int } != number
        }
      }
      #expect(wrong.isEmpty)
    }
  }

  @Test func `as many statements stay prepared as the limit says`() async throws {
    try await withDatabase { database in
      let limit = SQLiteConnection.preparedStatementLimit
      let most = try await database.read { reader in
        try (0..<(2 * limit)).reduce(0) { most, number in
          _ = try reader.exists("SELECT \(number) AS an_answer")
          // The list is itself a statement among them.
          guard number % 64 == 63 else { return most }
          return max(most, try Self.prepared("", reader)[0])
        }
      }
      #expect(most <= limit)
      #expect(most > limit - 64)
    }
  }
}
