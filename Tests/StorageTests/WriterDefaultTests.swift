import Storage
import Testing

/// What an engine has from the protocol unless it says otherwise.
@Suite struct WriterDefaultTests {
  private struct PlainWriter: Writer {
    let dialect: SQLDialect

    func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {}
    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int { 0 }
    func define(_ statement: String) throws {}
    func afterCommit(_ action: @escaping @Sendable () -> Void) {}
  }

  @Test func `who writes alone need not lock, an engine of several writers cannot forget to`() async throws {
    try PlainWriter(dialect: .sqlite).lock("things", 1, .exclusive)
    await #expect(processExitsWith: .failure) { try PlainWriter(dialect: .postgreSQL).lock("things", 1, .exclusive) }
  }
}
