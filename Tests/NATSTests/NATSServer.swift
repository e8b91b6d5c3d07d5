import Base
import ChildProcess
import Glibc

@testable import NATS

/// A NATS server that a test has for itself.
final class NATSServer: Sendable {
  private let reserved: ReservedPort
  private let process: Locked<ChildProcess?>
  private let arguments: [String]

  struct Failure: Error {
    let log: String
  }

  var port: UInt16 { reserved.number }

  var url: String { "nats://127.0.0.1:\(port)" }

  /// On a port that the kernel chooses, and that stays its own while it is killed.
  init(arguments: [String] = []) async throws {
    reserved = try ReservedPort()
    self.arguments = arguments + ["-p", "\(reserved.number)"]
    process = Locked(try await Self.start(self.arguments))
  }

  /// As by kill -9.
  func kill() async throws {
    guard let process = process.withLock({ $0 }) else { return }
    process.terminate()
    try await OSThread.run(name: "nats-stop") { _ = process.wait() }
    self.process.withLock { $0 = nil }
  }

  /// Starts it again where it was.
  func start() async throws {
    let again = try await Self.start(arguments)
    process.withLock { $0 = again }
  }

  private static func start(_ arguments: [String]) async throws -> ChildProcess {
    let script = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/support/nats-server"
    return try await OSThread.run(name: "nats-start") {
      let process = try ChildProcess("bash", [script, "\(getpid())", "-a", "127.0.0.1"] + arguments)
      var log = ""
      while !log.contains("Server is ready") {
        let bytes = process.readOutput(atMost: 4096)
        guard !bytes.isEmpty else { throw Failure(log: log) }
        log += String(decoding: bytes, as: UTF8.self)
      }
      // What it logs from now on must not fill the pipe.
      _ = OSThread(name: "nats-log") { while !process.readOutput(atMost: 4096).isEmpty {} }
      return process
    }
  }
}

/// Waits for what a bus's thread does.
final class Inbox: Sendable {
  private let messages = Locked<[[UInt8]]>([])
  private let arrival = ParkingSpot()

  func put(_ message: [UInt8]) {
    messages.withLock { $0.append(message) }
    arrival.unpark()
  }

  var isEmpty: Bool { messages.withLock { $0.isEmpty } }

  func take() async throws -> [UInt8] {
    while true {
      let first: [UInt8]? = messages.withLock { $0.isEmpty ? nil : $0.removeFirst() }
      if let first { return first }
      try await arrival.park()
    }
  }
}

extension NATSLimits {
  /// Those of tests that are not about them. A machine that stands still for a while is no reason to give a server up.
  static var ofTests: Self {
    var limits = Self()
    (limits.connectTimeout, limits.pingInterval, limits.pingTimeout) = (.seconds(600), .seconds(600), .seconds(600))
    return limits
  }

  /// The same of a bus that waits a little for a server that comes back.
  static var hasty: Self {
    var limits = ofTests
    limits.firstReconnectDelay = .milliseconds(1)
    limits.longestReconnectDelay = .milliseconds(4)
    return limits
  }
}

extension NATSBus {
  /// Waits until it has reached a server so often.
  func connected(_ count: Int = 1) async throws {
    let change = ParkingSpot()
    let registration = onInterruption { change.unpark() }
    while figures.connects < count { try await change.park() }
    withExtendedLifetime(registration) {}
  }
}
