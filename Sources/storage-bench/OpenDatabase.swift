import Base
import Storage
import StoragePostgreSQL
import StorageSQLite

/// Opens a file with SQLite, a `postgres://` URL with PostgreSQL.
func openDatabase(at place: String, migrations: [Migration]) async throws -> any Database {
  let clock = SystemClock()
  if place.hasPrefix("postgres://") {
    return try await PostgreSQLDatabase.open(url: place, migrations: migrations, clock: clock)
  }
  return try await SQLiteDatabase.open(path: place, migrations: migrations, clock: clock)
}
