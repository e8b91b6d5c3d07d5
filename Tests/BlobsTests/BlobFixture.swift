import Base
import Blobs
import Foundation
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import StorageSQLite
import Testing

/// A database engine for the tests of references. A second engine runs them all by one more entry in `all`.
struct BlobEngine: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let open: @Sendable ([Migration], any WallClock) async throws -> any Database

  static let all: [BlobEngine] = [
    BlobEngine(testDescription: "SQLite") { try await SQLiteDatabase.openTemporary(migrations: $0, clock: $1) },
    BlobEngine(testDescription: "SQLite, every body twice") { migrations, clock in
      var options = SQLiteOptions()
      options.runsBodiesTwice = true
      return try await SQLiteDatabase.openTemporary(migrations: migrations, clock: clock, options: options)
    },
    BlobEngine(testDescription: "PostgreSQL") { try await openPostgreSQL($0, $1, runsBodiesTwice: false) },
    BlobEngine(testDescription: "PostgreSQL, every body twice") {
      try await openPostgreSQL($0, $1, runsBodiesTwice: true)
    },
  ]

  private static func openPostgreSQL(
    _ migrations: [Migration], _ clock: any WallClock, runsBodiesTwice: Bool
  ) async throws -> any Database {
    var options = PostgreSQLOptions.ofTests
    options.writers = 4
    options.runsBodiesTwice = runsBodiesTwice
    let url = try await PostgreSQLServer.common().makeDatabase()
    return try await PostgreSQLDatabase.open(url: url, migrations: migrations, clock: clock, options: options)
  }
}

/// A library on an empty database and an empty folder, with a clock that the test moves.
struct BlobFixture: Sendable {
  let library: BlobLibrary
  let database: any Database
  let store: FolderBlobStore
  let clock: ManualClock

  static func with(
    _ engine: BlobEngine, policy: BlobPolicy = BlobPolicy(), _ body: (BlobFixture) async throws -> Void
  ) async throws {
    let folder = TemporaryFolder()
    defer { folder.remove() }
    let clock = ManualClock()
    let database = try await engine.open(BlobSchema.migrations, clock)
    let store = try await FolderBlobStore.open(path: folder.path)
    let library = BlobLibrary(
      store: store, database: database, clock: clock, random: SystemRandomSource(), policy: policy)
    let fixture = BlobFixture(library: library, database: database, store: store, clock: clock)
    do {
      try await body(fixture)
    } catch {
      await fixture.close()
      throw error
    }
    await fixture.close()
  }

  private func close() async {
    await store.close()
    await database.close()
  }

  func adopt(_ finished: FinishedUpload, by owner: BlobOwner) async throws {
    try await database.write { writer in try library.references.adopt(finished, by: owner, in: writer) }
  }

  /// Stores a content with one owner.
  func keep(_ bytes: [UInt8], by owner: BlobOwner) async throws -> BlobID {
    let finished = try await library.put(bytes)
    try await adopt(finished, by: owner)
    return finished.blob
  }

  func release(_ blob: BlobID, by owner: BlobOwner) async throws {
    try await database.write { writer in try library.references.remove(blob, by: owner, in: writer) }
  }

  func bytes(_ blob: BlobID) async throws -> [UInt8] {
    try await library.read(blob).bytes(limit: .max)
  }

  /// How many rows each table has: uploads, blobs, references, trash.
  func rows() async throws -> [Int] {
    try await database.read { reader in
      try ["octet_blob_uploads", "octet_blobs", "octet_blob_references", "octet_blob_trash"].map { table in
        try reader.first("SELECT count(*) FROM \(table)") { $0[0] } ?? 0
      }
    }
  }
}
