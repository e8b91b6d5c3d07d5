import Base
import ChildProcess
import Glibc

/// A PgBouncer before a server of the tests. In transaction mode each transaction may run in another session.
public final class PgBouncer: Sendable {
  /// What a client has for itself until it leaves.
  public enum Mode: String, Sendable {
    case transaction
    case session
  }

  private static let port = 6432
  private let process: ChildProcess
  private let directory: String

  /// - Parameters:
  ///   - ignoring: start-up parameters that it lets clients send, without heeding them.
  ///   - sessions: how many it has at the server, for however many clients.
  public init(
    before server: PostgreSQLServer, mode: Mode = .transaction, ignoring: [String] = [], sessions: Int = 2
  ) async throws {
    directory = server.directory + "/pgbouncer-" + server.newName()
    let settings = """
      [databases]
      * = host=\(server.directory) port=\(server.port) user=octet
      [pgbouncer]
      listen_addr =
      unix_socket_dir = \(directory)
      listen_port = \(Self.port)
      auth_type = any
      pool_mode = \(mode)
      default_pool_size = \(sessions)
      max_client_conn = 200
      query_wait_timeout = 0
      server_connect_timeout = 600
      client_login_timeout = 600
      ignore_startup_parameters = \(ignoring.joined(separator: ","))
      """
    let file = directory + "/pgbouncer.ini"
    mkdir(directory, 0o777)
    chmod(directory, 0o777)
    guard let stream = fopen(file, "w") else { throw PostgreSQLServer.Failure(description: "cannot write \(file)") }
    fputs(settings, stream)
    fclose(stream)
    // It refuses to run as root, as the server does.
    let user = getuid() == 0 ? ["-u", "postgres"] : []
    let guardian = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/support/guard"
    let command = [guardian, "\(getpid())", "/usr/sbin/pgbouncer"] + user + [file]
    process = try await OSThread.run(name: "pgbouncer-start") {
      let process = try ChildProcess("bash", command)
      var log: [UInt8] = []
      while !String(decoding: log, as: UTF8.self).contains("process up") {
        let bytes = process.readOutput(atMost: 4096)
        if bytes.isEmpty { throw PostgreSQLServer.Failure(description: String(decoding: log, as: UTF8.self)) }
        log += bytes
      }
      // What it logs from now on must not fill the pipe.
      _ = OSThread(name: "pgbouncer-log") { while !process.readOutput(atMost: 4096).isEmpty {} }
      return process
    }
  }

  /// How a database is reached through it.
  public func url(_ database: String) -> String {
    let host = directory.split(separator: "/").map { "%2F" + $0 }.joined()
    return "postgres://octet@/\(database)?host=\(host)&port=\(Self.port)"
  }

  public func stop() async {
    process.terminate()
    try? await OSThread.run(name: "pgbouncer-stop") { [process] in _ = process.wait() }
  }
}
