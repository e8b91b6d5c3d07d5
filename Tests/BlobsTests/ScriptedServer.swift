import Base
import ChildProcess
import Testing

/// Runs `body` with the port of a server in Python, which prints it when it listens.
func withScriptedServer(
  _ script: String, _ arguments: [String], _ body: (Int) async throws -> Void
) async throws {
  let server = try ChildProcess("python3", ["-u", "-c", script] + arguments)
  defer {
    server.kill()
    server.wait()
  }
  let line = try await OSThread.run(name: "port") { () -> String in
    var line: [UInt8] = []
    while line.last != UInt8(ascii: "\n") {
      let byte = server.readOutput(atMost: 1)
      if byte.isEmpty { break }
      line += byte
    }
    return String(decoding: line.dropLast(), as: UTF8.self)
  }
  try await body(try #require(Int(line)))
}
