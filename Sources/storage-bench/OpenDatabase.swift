import Base
import Storage
import StoragePostgreSQL
import StorageSQLite

/// Opens a file with SQLite, a `postgres://` URL with PostgreSQL.
/// - Parameter patience: how long a statement may take there.
func openDatabase(
  at place: String, migrations: [Migration], patience: Duration = PostgreSQLOptions().statementTimeout
) async throws -> any Database {
  let clock = SystemClock()
  if place.hasPrefix("postgres://") {
    var options = PostgreSQLOptions()
    options.statementTimeout = patience
    return try await PostgreSQLDatabase.open(url: place, migrations: migrations, clock: clock, options: options)
  }
  return try await SQLiteDatabase.open(path: place, migrations: migrations, clock: clock)
}
