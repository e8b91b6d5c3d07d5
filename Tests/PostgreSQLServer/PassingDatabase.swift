public import Storage

/// Stands before a database and passes on all that it does not change.
public protocol PassingDatabase: Database {
  var database: any Database { get }
}

extension PassingDatabase {
  public func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    try await database.read(body)
  }

  public func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result
  {
    try await database.write(body)
  }

  public var waiting: (reads: Int, writes: Int) { database.waiting }
  public var writeRefusal: StorageError? { database.writeRefusal }
  public func schemaText() async throws -> String { try await database.schemaText() }
  public func scrub() async throws { try await database.scrub() }
  public func close() async { await database.close() }
}
