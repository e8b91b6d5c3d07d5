import Base
import Storage

/// A database that notes which statements run in it, to compare the work of two calls, and lets transactions begin
/// together.
final class RecordingDatabase: Database {
  private let engine: any Database
  private let log = Locked([String]())
  private let gathering = Locked(Gathering())

  private struct Gathering {
    var missing = 0
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  init(_ engine: any Database) { self.engine = engine }

  /// What ran since the last time.
  func take() -> [String] {
    log.withLock { log in
      defer { log = [] }
      return log
    }
  }

  /// Lets the next transactions that change something begin when so many have come.
  func gather(_ count: Int) { gathering.withLock { $0.missing = count } }

  private func arrive() async {
    await withCheckedContinuation { continuation in
      let ready = gathering.withLock { gathering -> [CheckedContinuation<Void, Never>] in
        guard gathering.missing > 0 else { return [continuation] }
        gathering.missing -= 1
        gathering.waiting.append(continuation)
        guard gathering.missing == 0 else { return [] }
        defer { gathering.waiting = [] }
        return gathering.waiting
      }
      for continuation in ready { continuation.resume() }
    }
  }

  func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    note("read")
    return try await engine.read { reader in try body(RecordingReader(reader: reader, note: self.note)) }
  }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    note("write")
    await arrive()
    return try await engine.write { writer in try body(RecordingWriter(writer: writer, note: self.note)) }
  }

  private func note(_ what: String) { log.withLock { $0.append(what) } }

  var waiting: (reads: Int, writes: Int) { engine.waiting }
  var writeRefusal: StorageError? { engine.writeRefusal }
  func schemaText() async throws -> String { try await engine.schemaText() }
  func scrub() async throws { try await engine.scrub() }
  func close() async { await engine.close() }
}

private struct RecordingReader: Reader {
  let reader: any Reader
  let note: (String) -> Void

  var dialect: SQLDialect { reader.dialect }

  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
    note(sql)
    try reader.forEachRow(sql, arguments, row)
  }
}

private struct RecordingWriter: Writer {
  let writer: any Writer
  let note: (String) -> Void

  var dialect: SQLDialect { writer.dialect }

  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
    note(sql)
    try writer.forEachRow(sql, arguments, row)
  }

  func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
    note(sql)
    return try writer.execute(sql, arguments)
  }

  func define(_ statement: String) throws { try writer.define(statement) }

  func lock(_ name: StaticString, _ number: Int64, _ mode: LockMode) throws {
    note("\(mode) \(name)")
    try writer.lock(name, number, mode)
  }

  func afterCommit(_ action: @escaping @Sendable () -> Void) { writer.afterCommit(action) }
}
