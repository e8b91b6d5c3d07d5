import Base
import ChildProcess
import Foundation
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Testing

@Suite struct TLSTests {
  @Test func `the server is reached over TLS, and only if its certificate is the right one`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "octet-tls-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../../scripts/dev-certificate")
    for authority in ["right", "wrong"] {
      let made = try ChildProcess.run(script.path, [folder.appending(path: authority).path])
      #expect(made.status == 0, "\(made.errors)")
    }
    let server = try await PostgreSQLServer(certificate: folder.appending(path: "right").path)
    func url(_ host: String, _ authority: String) -> String {
      let file = folder.appending(path: "\(authority)/ca.pem").path
      return "postgres://octet@\(host):\(server.port)/postgres?sslmode=verify-full&sslrootcert=\(file)"
    }
    var options = PostgreSQLOptions.ofTests
    options.patience = .zero
    let database = try await PostgreSQLDatabase.open(
      url: url("localhost", "right"), migrations: [], clock: ManualClock(), options: options)
    let version: String? = try await database.read { reader in
      try reader.first("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()") { $0[0] }
    }
    #expect(version == "TLSv1.3")
    await database.close()

    // Of another authority, and for another name than was asked for.
    let wrong = [
      (url("localhost", "wrong"), "certificate verify failed"),
      (url("other.example", "right") + "&hostaddr=127.0.0.1", "does not match host name"),
    ]
    for (url, words) in wrong {
      let error = await storageError {
        try await PostgreSQLDatabase.open(url: url, migrations: [], clock: ManualClock(), options: options)
      }
      #expect(error?.message.contains(words) == true, "\(String(describing: error))")
    }
    await server.stop()
  }
}
