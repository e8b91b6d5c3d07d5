import Base
public import Storage

/// Notes which statements run in it, with their arguments, so that they can be explained as they are.
public final class NotingDatabase: PassingDatabase {
  public struct Statement: Sendable {
    public let sql: String
    public let arguments: [SQLValue]
  }

  public let database: any Database
  private let noted = Locked<[Statement]>([])

  public init(_ database: any Database) { self.database = database }

  /// Each text once, with the arguments that it came with first.
  public var statements: [Statement] {
    var seen: Set<String> = []
    return noted.withLock { $0 }.filter { seen.insert($0.sql).inserted }
  }

  /// How many statements have run.
  public var count: Int { noted.withLock { $0.count } }

  /// How many statements have run that have a text in them.
  public func count(of text: String) -> Int { noted.withLock { $0.count { $0.sql.contains(text) } } }

  public func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    try await database.read { reader in try body(NotingReader(reader: reader, note: self.note)) }
  }

  public func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result
  {
    try await database.write { writer in try body(NotingWriter(writer: writer, note: self.note)) }
  }

  private func note(_ sql: String, _ arguments: [SQLValue]) {
    noted.withLock { $0.append(Statement(sql: sql, arguments: arguments)) }
  }
}

private struct NotingReader: Reader {
  let reader: any Reader
  let note: (String, [SQLValue]) -> Void

  var dialect: SQLDialect { reader.dialect }

  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
    note(sql, arguments)
    try reader.forEachRow(sql, arguments, row)
  }
}

private struct NotingWriter: Writer {
  let writer: any Writer
  let note: (String, [SQLValue]) -> Void

  var dialect: SQLDialect { writer.dialect }

  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
    note(sql, arguments)
    try writer.forEachRow(sql, arguments, row)
  }

  func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
    note(sql, arguments)
    return try writer.execute(sql, arguments)
  }

  func send(_ sql: String, _ arguments: [SQLValue], mustChange: Bool) throws -> Bool {
    note(sql, arguments)
    return try writer.send(sql, arguments, mustChange: mustChange)
  }

  func define(_ statement: String) throws { try writer.define(statement) }

  func lock(_ name: StaticString, _ number: Int64, _ mode: LockMode) throws { try writer.lock(name, number, mode) }

  func afterCommit(_ action: @escaping @Sendable () -> Void) { writer.afterCommit(action) }
}
