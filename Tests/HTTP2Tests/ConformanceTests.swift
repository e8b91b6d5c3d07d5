import RPC
import Testing

@testable import HTTP2

/// The errors that RFC 9113 names, section by section: what a side must do when its peer breaks a rule. What sections 4
/// to 6 say holds for both sides. Each case runs with the octets in one piece and one by one.
@Suite struct ConformanceTests {
  typealias T = RawPeer.FrameType

  /// What must come of a case.
  enum Outcome: Sendable {
    /// The connection ends with this code.
    case connection(ResetCode)
    /// Stream 1 ends with this code, and the connection goes on.
    case stream(ResetCode)
    /// Nothing at all happens.
    case ignored
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let role: HTTP2Session.Role
    let rule: String
    let octets: [UInt8]
    let outcome: Outcome

    var testDescription: String { "\(role): \(rule)" }

    init(_ role: HTTP2Session.Role, _ rule: String, _ octets: [UInt8], _ outcome: Outcome) {
      self.role = role
      self.rule = rule
      self.octets = octets
      self.outcome = outcome
    }
  }

  /// What opens stream 1 for what the peer sends: the request of a client, or the head of a server's response.
  static func open(_ role: HTTP2Session.Role, endStream: Bool = false) -> [UInt8] {
    RawPeer.headers(
      1, role == .server ? RawPeer.request() : RawPeer.literal(":status", "200"), endStream: endStream)
  }

  @Test(arguments: framing(.server) + framing(.client) + frames(.server) + frames(.client) + messages, [Int.max, 1])
  func `a side answers as RFC 9113 says`(example: Case, pieces: Int) throws {
    var limits = HTTP2Limits()
    limits.streamWindow = 66_000
    limits.connectionWindow = 70_000
    let harness = try SessionHarness(example.role, limits: limits)
    try harness.feed(RawPeer.frame(T.settings, 1, 0, []))
    if example.role == .client { _ = try harness.open() }
    try harness.feed(example.octets, pieces: pieces)
    switch example.outcome {
    case .connection(let code):
      #expect(harness.goAway == code.rawValue)
      #expect(harness.failure != nil)
      #expect(harness.session.isFinished)
    case .stream(let code):
      #expect(harness.resets == [1: code.rawValue])
      #expect(harness.goAway == nil)
    case .ignored:
      #expect(harness.resets.isEmpty)
      #expect(harness.goAway == nil)
    }
    guard harness.failure == nil else { return }
    // The connection goes on, with the tables of both sides in step.
    if example.role == .client {
      for _ in 0..<2 { _ = try harness.open() }
      try harness.feed(RawPeer.headers(3, [0x48] + RawPeer.string("418"), endStream: true))
      try harness.feed(RawPeer.headers(5, [0xbe], endStream: true))
      #expect(harness.events.suffix(2) == ["headers 3 418 end", "headers 5 418 end"])
      return
    }
    try harness.feed(RawPeer.headers(7, [0x83, 0x86, 0x84, 0x41] + RawPeer.string("after"), endStream: true))
    try harness.feed(RawPeer.headers(9, [0x83, 0x86, 0x84, 0xbe], endStream: true))
    #expect(harness.events.suffix(2) == ["request 7 POST / after end", "request 9 POST / after end"])
  }

  @Test(arguments: starts(.server) + starts(.client))
  func `§3.4 the first frame must be SETTINGS`(example: Case) throws {
    let harness = try SessionHarness(example.role, greet: false)
    if example.role == .client { _ = try harness.open() }
    try harness.feed((example.role == .server ? RawPeer.preface : []) + example.octets)
    #expect(harness.goAway == ResetCode.protocolError.rawValue)
    #expect(harness.failure != nil)
  }

  @Test func `§3.4 a wrong preface is an error`() throws {
    let harness = try SessionHarness(.server, greet: false)
    try harness.feed(RawPeer.preface.dropLast() + [0], pieces: 5)
    #expect(harness.goAway == ResetCode.protocolError.rawValue)
  }

  @Test func `§6.8 what comes after the last GOAWAY is ignored, and keeps the tables in step`() throws {
    let harness = try SessionHarness(.server)
    try harness.feed(Self.open(.server, endStream: true))
    harness.session.refuseNewStreams()
    try harness.feed(RawPeer.headers(3, [0x83, 0x86, 0x84, 0x41] + RawPeer.string("late"), endStream: true))
    #expect(harness.events == ["request 1 POST /a/b x end"])
    #expect(harness.goAway == 0)
    #expect(harness.resets.isEmpty)
    let stream = try #require(harness.streams[1])
    harness.session.respond(stream, status: 200, headers: HeaderList(), endStream: true)
    try harness.takeOutput()
    #expect(harness.events.last == "closed 1 0")
    #expect(harness.session.isFinished)
  }
}
