import Base
import Storage
import StoragePostgreSQL
import StorageSQLite

/// Opens a file with SQLite, a `postgres://` URL with PostgreSQL.
func openDatabase(at place: String, migrations: [Migration]) async throws -> any Database {
  let clock = SystemClock()
  if place.hasPrefix("postgres://") {
    return try await PostgreSQLDatabase.open(
      url: place, migrations: migrations, clock: clock, options: PostgreSQLOptions().patient)
  }
  return try await SQLiteDatabase.open(path: place, migrations: migrations, clock: clock)
}

extension PostgreSQLOptions {
  /// Nothing that is measured or killed here is about limits of time: neither a slow statement (GIN holds up one insert in
  /// many for long) nor a machine that stands still for a while is given up.
  var patient: PostgreSQLOptions {
    var options = self
    (options.statementTimeout, options.lockTimeout) = (.seconds(600), .seconds(600))
    (options.connectionTimeout, options.patience) = (.seconds(60), .seconds(60))
    options.overtakenCommit = .seconds(600)
    return options
  }
}
