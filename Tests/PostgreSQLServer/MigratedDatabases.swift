import Base
import Storage
import StoragePostgreSQL

/// Databases that have the tables of one list of migrations. One is migrated; those that tests get are copies of it, as
/// a copy takes an eighth of the time.
final class MigratedDatabases: Sendable {
  /// One psql makes so many, which would take as long as a copy takes.
  private static let chunk = 8

  private let server: PostgreSQLServer
  private let template: Task<String, any Error>
  private let state = Locked(State())

  private struct State {
    var taken = 0
    var made: Task<[String], any Error>?
  }

  /// - Parameter migrate: migrates the database at a URL, and leaves it closed.
  init(of server: PostgreSQLServer, migrate: @escaping @Sendable (_ url: String) async throws -> Void) {
    self.server = server
    template = Task {
      let name = server.newName()
      try await server.run("CREATE DATABASE \(name)")
      try await migrate(server.url(name))
      // Its sessions end some time after they were closed, and nobody can copy it before.
      try await server.wait(until: "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '\(name)')")
      return name
    }
  }

  /// - Returns: the URL of one that nobody else has.
  func take() async throws -> String {
    let (index, made) = state.withLock { state in
      let index = state.taken % Self.chunk
      state.taken += 1
      if index == 0 { state.made = Task { try await copies() } }
      // The first of a chunk makes it.
      return (index, state.made!)
    }
    return server.url(try await made.value[index])
  }

  private func copies() async throws -> [String] {
    let template = try await template.value
    let names = (0..<Self.chunk).map { _ in server.newName() }
    try await server.run(names.map { "CREATE DATABASE \($0) TEMPLATE \(template)" })
    return names
  }
}
