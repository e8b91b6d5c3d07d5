import Base
import Blobs
import BlobsS3
import ChildProcess
import Cryptography
import Glibc

/// The S3 server that all tests of the process share. It ends when the process does.
final class S3Server: Sendable {
  let port: Int
  private let tlsPort: Int
  /// A file with the certificate that vouches for the one at `tlsPort`.
  private let authority: String
  private let guardian: ChildProcess
  private let prefixes = Locked(0)

  private static let shared = Task { try await S3Server() }

  static func common() async throws -> S3Server { try await shared.value }

  struct Failure: Error {}

  private init() async throws {
    let script = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/support/seaweedfs-server"
    (guardian, port, tlsPort, authority) = try await OSThread.run(name: "s3-start") {
      let guardian = try ChildProcess("bash", [script, "\(getpid())"])
      var line: [UInt8] = []
      while line.last != UInt8(ascii: "\n") {
        let byte = guardian.readOutput(atMost: 1)
        if byte.isEmpty { throw Failure() }
        line += byte
      }
      let words = String(decoding: line.dropLast(), as: UTF8.self).split(separator: " ")
      guard words.count == 4, words[0] == "ready", let port = Int(words[1]), let tlsPort = Int(words[2]) else {
        throw Failure()
      }
      return (guardian, port, tlsPort, String(words[3]))
    }
  }

  /// How to reach it, with a prefix of its own.
  func options() -> S3Options {
    let number = prefixes.withLock { count in
      count += 1
      return count
    }
    var options = S3Server.options(port: port)
    options.prefix = "test-\(number)/"
    // For longer than a server takes to be well again after the machine has stood still.
    options.attempts = 20
    return options
  }

  /// The same over TLS.
  func tlsOptions() -> S3Options {
    var options = options()
    options.endpoint = "https://localhost:\(tlsPort)"
    options.certificates = authority
    return options
  }

  static let secret = "a secret/with+signs"

  static func options(port: Int) -> S3Options {
    var options = S3Options(
      endpoint: "http://127.0.0.1:\(port)", region: "us-east-1", bucket: "blobs", accessKey: "OCTETTEST",
      secret: SecretKey(Array(secret.utf8)))
    options.partBytes = 5 << 20
    options.firstWait = .milliseconds(1)
    // A machine that stands still for a while is no reason to give a server up.
    (options.connectTimeout, options.attemptTimeout) = (.seconds(600), .seconds(600))
    options.stallTimeout = .seconds(600)
    return options
  }
}
