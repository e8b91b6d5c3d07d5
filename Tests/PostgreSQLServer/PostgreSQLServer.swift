import Base
import ChildProcess
import Glibc

/// A PostgreSQL server that tests have for themselves. It is started again when it is killed, and gone when the test
/// process is.
public final class PostgreSQLServer: Sendable {
  /// Where the server's socket is.
  public let directory: String
  /// On 127.0.0.1.
  public let port: Int
  private let guardian: ChildProcess
  private let databases = Locked(0)
  private let schemas = Locked(Schemas())

  /// Schemas are made many at a time.
  private struct Schemas {
    static let chunk = 64
    var taken = 0
    var made: Task<Void, any Error>?
  }

  /// The one that most tests share. It has hundreds of databases, one after another of which would be vacuumed all the time;
  /// and what is written is gone with the process.
  private static let shared = Task { try await PostgreSQLServer(settings: ["autovacuum=off", "full_page_writes=off"]) }

  /// The server that all tests of the process share. The first caller waits for its start.
  public static func common() async throws -> PostgreSQLServer { try await shared.value }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Starts another one, for a test that kills it.
  /// - Parameters:
  ///   - settings: `name=value`, as in postgresql.conf.
  ///   - certificate: a folder with `cert.pem` and `key.pem` for TLS.
  public init(settings: [String] = [], certificate: String? = nil) async throws {
    let settings = (certificate.map { ["certificate=" + $0] } ?? []) + settings
    let script = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/support/postgres-server"
    (guardian, directory, port) = try await OSThread.run(name: "postgres-start") {
      let guardian = try ChildProcess("bash", [script, "\(getpid())"] + settings)
      var line: [UInt8] = []
      while line.last != UInt8(ascii: "\n") {
        let byte = guardian.readOutput(atMost: 1)
        if byte.isEmpty { throw Failure(description: "the server did not start") }
        line += byte
      }
      let words = String(decoding: line.dropLast(), as: UTF8.self).split(separator: " ")
      guard words.count == 3, words[0] == "ready", let port = Int(words[2]) else {
        throw Failure(description: "the server said: \(words)")
      }
      return (guardian, String(words[1]), port)
    }
  }

  /// Makes an empty database.
  /// - Returns: its URL, by way of the server's Unix socket.
  public func makeDatabase() async throws -> String {
    let name = newName()
    try await run("CREATE DATABASE \(name)")
    return url(name)
  }

  /// A name that no other database or pooler has.
  func newName() -> String {
    databases.withLock { count in
      count += 1
      return "test\(count)"
    }
  }

  /// Makes an empty schema in a database that many tests share, which takes a hundredth of the time of a database.
  /// - Returns: the URL for a user who sees this schema alone.
  public func makeSchema() async throws -> String {
    let (number, made) = schemas.withLock { schemas in
      let number = schemas.taken
      schemas.taken += 1
      if number % Schemas.chunk == 0 { schemas.made = Task { try await makeSchemas(from: number) } }
      // Number 0 makes the first.
      return (number, schemas.made!)
    }
    try await made.value
    return url("postgres", user: "schema\(number)")
  }

  private func makeSchemas(from number: Int) async throws {
    try await run(
      """
      DO $$ BEGIN FOR i IN \(number)..\(number + Schemas.chunk - 1) LOOP
        EXECUTE format('CREATE ROLE schema%s SUPERUSER LOGIN', i);
        EXECUTE format('ALTER ROLE schema%s SET search_path = schema%s, public', i, i);
        EXECUTE format('CREATE SCHEMA schema%s', i);
      END LOOP; END $$
      """)
  }

  /// How a database is reached by way of the Unix socket.
  public func url(_ database: String, user: String = "octet") -> String {
    let host = directory.split(separator: "/").map { "%2F" + $0 }.joined()
    return "postgres://\(user)@/\(database)?host=\(host)&port=\(port)"
  }

  /// How a database is reached by way of TCP, on any port of 127.0.0.1.
  public func url(_ database: String, port: Int) -> String {
    "postgres://octet@127.0.0.1:\(port)/\(database)"
  }

  /// Runs statements as the superuser, in a session of their own. Each is a transaction.
  public func run(_ statements: String..., database: String = "postgres") async throws {
    try await run(statements, database: database)
  }

  func run(_ statements: [String], database: String = "postgres") async throws {
    let arguments =
      ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", directory, "-p", "\(port)", "-U", "octet", "-d", database]
      + statements.flatMap { ["-c", $0] }
    let result = try await OSThread.run(name: "psql") { try ChildProcess.run("psql", arguments) }
    guard result.status == 0 else { throw Failure(description: result.errors) }
  }

  /// Waits until the server takes sessions and a new one finds that `condition` holds.
  /// - Throws: what the server said last, after ten minutes.
  public func wait(until condition: String) async throws {
    let end = ContinuousClock.now + .seconds(600)
    while true {
      do {
        return try await run("DO $$ BEGIN ASSERT \(condition); END $$")
      } catch {
        if ContinuousClock.now > end { throw error }
        await Task.yield()
      }
    }
  }

  /// kill -9 of the server and all its sessions; it comes back by itself.
  public func kill() throws {
    let path = directory + "/data/postmaster.pid"
    guard let file = fopen(path, "r") else { return }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 32)
    guard fgets(&line, 32, file) != nil else { return }
    let id = Int32(atoi(line))
    guard id > 1 else { return }
    // Its children end when they see that it is gone.
    Glibc.kill(id, SIGKILL)
  }

  /// Ends the server and removes its files.
  public func stop() async {
    guardian.terminate()
    try? await OSThread.run(name: "postgres-stop") { _ = self.guardian.wait() }
  }
}
