import Storage

/// Stands before a database and passes on all that it does not change.
protocol PassingDatabase: Database {
  var database: any Database { get }
}

extension PassingDatabase {
  func read<Result: Sendable>(_ body: @escaping @Sendable (any Reader) throws -> Result) async throws -> Result {
    try await database.read(body)
  }

  func write<Result: Sendable>(_ body: @escaping @Sendable (any Writer) throws -> Result) async throws -> Result {
    try await database.write(body)
  }

  var waiting: (reads: Int, writes: Int) { database.waiting }
  var writeRefusal: StorageError? { database.writeRefusal }
  func schemaText() async throws -> String { try await database.schemaText() }
  func scrub() async throws { try await database.scrub() }
  func close() async { await database.close() }
}
