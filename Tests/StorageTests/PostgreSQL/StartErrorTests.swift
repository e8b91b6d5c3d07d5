import Base
import Foundation
import Glibc
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL

/// What is said of a server that lets nobody in, so that an operator knows what to do.
@Suite(.timeLimit(.minutes(60))) struct StartErrorTests {
  private func open(_ url: String) async throws -> PostgreSQLDatabase {
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (1, 1)
    // A server that refuses is not asked again.
    options.patience = .zero
    return try await PostgreSQLDatabase.open(url: url, migrations: [], clock: ManualClock(), options: options)
  }

  private func expect(
    _ url: String, _ code: StorageError.Code, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) async {
    let error = await storageError {
      let database = try await open(url)
      await database.close()
    }
    #expect(error?.code == code, "\(String(describing: error))", sourceLocation: sourceLocation)
    for word in words {
      #expect(error?.message.contains(word) == true, "\(String(describing: error))", sourceLocation: sourceLocation)
    }
    #expect(error?.message.contains("hush") != true, sourceLocation: sourceLocation)
  }

  /// Waits until the server refuses for this reason.
  private func waitForRefusal(_ url: String, _ sqlState: String) async throws {
    let end = ContinuousClock.now + .seconds(600)
    var error: StorageError?
    repeat {
      error = await optionalStorageError {
        let database = try await open(url)
        await database.close()
      }
      if error?.message.contains("SQLSTATE \(sqlState)") == true { return }
    } while ContinuousClock.now < end
    Issue.record("\(String(describing: error)), not \(sqlState)")
  }

  @Test func `a database that is not there, or takes nobody`() async throws {
    let server = try await PostgreSQLServer.common()
    await expect(server.url("nowhere"), .cannotOpen, ["no such database", "SQLSTATE 3D000"])
    try await server.run("CREATE DATABASE closed_to_all ALLOW_CONNECTIONS false")
    await expect(server.url("closed_to_all"), .cannotOpen, ["takes no connections", "SQLSTATE 55000"])
    try await server.run("CREATE DATABASE private_one")
    try await server.run("REVOKE CONNECT ON DATABASE private_one FROM PUBLIC")
    try await server.run("CREATE ROLE barred LOGIN")
    await expect(server.url("private_one", user: "barred"), .cannotOpen, ["may not connect", "SQLSTATE 42501"])
  }

  @Test func `a wrong password and a user who is not let in`() async throws {
    let server = try await PostgreSQLServer()
    try await server.run("CREATE ROLE locked SUPERUSER LOGIN PASSWORD 'right'")
    try await server.run("CREATE ROLE nobody LOGIN")
    let file = server.directory + "/data/pg_hba.conf"
    let rules = try String(contentsOfFile: file, encoding: .utf8)
    let mine = "host all locked 127.0.0.1/32 scram-sha-256\nhost all nobody 127.0.0.1/32 reject\n"
    let handle = try #require(FileHandle(forWritingAtPath: file))
    try handle.write(contentsOf: Data((mine + rules).utf8))
    try handle.close()
    try await server.run("SELECT pg_reload_conf()")
    func url(_ user: String) -> String { "postgres://\(user)@127.0.0.1:\(server.port)/postgres" }
    // The server reads its rules soon after it was told to.
    try await waitForRefusal(url("nobody"), "28000")
    await expect(url("locked:hush"), .cannotOpen, ["with this password", "SQLSTATE 28P01"])
    await expect(url("nobody:hush"), .cannotOpen, ["does not let this user in", "SQLSTATE 28000"])
    await expect(url("locked"), .cannotOpen, ["no password supplied"])
    let database = try await open(url("locked:right"))
    await database.close()
    await server.stop()
  }

  @Test func `a user who may not write unless they say so`() async throws {
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE ROLE onlooker SUPERUSER LOGIN")
    try await server.run("ALTER ROLE onlooker SET default_transaction_read_only = on")
    await expect(
      server.url("postgres", user: "onlooker"), .cannotOpen, ["default_transaction_read_only", "session is read-only"])
  }

  @Test(.timeLimit(.minutes(60))) func `a standby, also one that becomes the primary meanwhile`() async throws {
    let server = try await PostgreSQLServer()
    try #require(FileManager.default.createFile(atPath: server.directory + "/data/standby.signal", contents: nil))
    try server.kill()
    try await server.wait(until: "pg_is_in_recovery()")
    let url = server.url("postgres")
    let refusal = try #require(
      await storageError {
        let database = try await open(url)
        await database.close()
      })
    #expect(refusal.code == .unavailable && refusal.message.contains("session is read-only"), "\(refusal)")
    try await server.run("SELECT pg_promote()")
    try await server.wait(until: "NOT pg_is_in_recovery()")
    let explained = try await OSThread.run(name: "diagnosis") {
      PostgreSQLDiagnosis.explained(refusal, url, .ofTests)
    }
    #expect(explained.code == .unavailable && explained.message == refusal.message, "\(explained)")
    let database = try await open(url)
    await database.close()
    await server.stop()
  }

  private func use(_ database: any Database) async throws {
    try await database.write { _ = try $0.exists("SELECT 1") }
    try await database.read { _ = try $0.exists("SELECT 1") }
  }

  /// Waits until the server has no more sessions than these.
  private func wait(for sessions: Int, in database: any Database) async throws {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    while let found = try await database.read({ try $0.first(count) { $0[0] as Int } }), found > sessions {
      await Task.yield()
    }
  }

  @Test func `a server that is full, and one that is shutting down`() async throws {
    let server = try await PostgreSQLServer(settings: [
      "max_connections=4", "superuser_reserved_connections=0", "max_wal_senders=0",
    ])
    let url = server.url("postgres")
    // The writer and the reader of each have a session. With another one each looks first whether it is let in; that
    // one has to be gone when there are four.
    let database = try await open(url)
    try await use(database)
    try await wait(for: 2, in: database)
    let guest = try await open(url)
    try await wait(for: 3, in: database)
    try await use(guest)
    let pid = try String(contentsOfFile: server.directory + "/data/postmaster.pid", encoding: .utf8)
    let postmaster = try #require(pid.split(separator: "\n").first.flatMap { Int32($0) })
    await expect(url, .unavailable, ["as many connections as it allows", "SQLSTATE 53300"])
    await guest.close()
    // It waits for those who are there, and takes nobody else.
    kill(postmaster, SIGTERM)
    try await waitForRefusal(url, "57P03")
    await expect(url, .unavailable, ["takes no connections now", "SQLSTATE 57P03"])
    await database.close()
    await server.stop()
  }

  @Test func `a server that is not there`() async throws {
    await expect("postgres://octet:hush@127.0.0.1:1/none", .unavailable, ["Connection refused"])
  }
}
