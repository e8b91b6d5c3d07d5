import RPC
import Testing

@testable import HTTP2

/// What a session sends within the windows that its peer gives (RFC 9113 §5.2, §6.9).
@Suite struct SessionWindowTests {
  private typealias T = RawPeer.FrameType

  private static func setting(_ id: UInt8, _ value: Int) -> [UInt8] {
    RawPeer.frame(T.settings, 0, 0, [0, id] + number(value))
  }

  private static func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) } }

  private static func update(_ stream: UInt32, _ increment: Int) -> [UInt8] {
    RawPeer.frame(T.windowUpdate, 0, stream, number(increment))
  }

  /// A server that answers each request with `size` octets and trailers.
  private static func answering(_ size: Int, limits: HTTP2Limits = HTTP2Limits()) throws -> SessionHarness {
    let harness = try SessionHarness(.server, limits: limits)
    harness.onRequest = { harness, stream in
      harness.session.respond(stream, status: 200, headers: HeaderList(), endStream: false)
      stream.write([UInt8](repeating: 7, count: size))
      stream.finish(trailers: ["grpc-status": "0"])
      harness.session.resume(stream)
    }
    return harness
  }

  @Test func `a stream stops at its window and goes on with it`() throws {
    let harness = try Self.answering(10)
    try harness.feed(Self.setting(4, 3) + RawPeer.headers(1, endStream: true))
    #expect(harness.sent(on: 1) == 3)
    try harness.feed(Self.update(1, 4))
    #expect(harness.sent(on: 1) == 7)
    try harness.feed(Self.update(1, 100))
    #expect(harness.sent(on: 1) == 10)
    #expect(harness.events.last == "closed 1 0")
  }

  @Test func `a setting may make a window negative, and it has to be filled first`() throws {
    let harness = try Self.answering(20)
    try harness.feed(Self.setting(4, 10) + RawPeer.headers(1, endStream: true))
    #expect(harness.sent(on: 1) == 10)
    try harness.feed(Self.setting(4, 2))
    try harness.feed(Self.update(1, 8))
    #expect(harness.sent(on: 1) == 10, "the window is at nothing")
    try harness.feed(Self.update(1, 1))
    #expect(harness.sent(on: 1) == 11)
    try harness.feed(Self.setting(4, 20))
    #expect(harness.sent(on: 1) == 20)
  }

  @Test func `streams share the connection's window, and each waits for it once`() throws {
    let harness = try Self.answering(40_000)
    try harness.feed(RawPeer.headers(1, endStream: true) + RawPeer.headers(3, endStream: true))
    #expect(harness.sent(on: 1) + harness.sent(on: 3) == 65_535)
    #expect(abs(harness.sent(on: 1) - harness.sent(on: 3)) <= 16_384, "both get their turn")
    // Windows of the streams alone are of no use, however many.
    for _ in 0..<1000 { try harness.feed(Self.update(1, 1) + Self.update(3, 1)) }
    #expect(harness.session.starved.count <= 2)
    try harness.feed(Self.update(0, 100_000))
    #expect(harness.sent(on: 1) == 40_000)
    #expect(harness.sent(on: 3) == 40_000)
    #expect(Set(harness.events.suffix(2)) == ["closed 1 0", "closed 3 0"])
  }

  @Test(arguments: [0, 1] as [UInt32])
  func `window updates are free once for every octetsPerWindowUpdate that were sent`(stream: UInt32) throws {
    var limits = HTTP2Limits()
    // The first SETTINGS count too.
    (limits.idleFrameBurst, limits.idleFramesPerSecond) = (2, 0)
    let sent = 10_000
    let harness = try Self.answering(sent, limits: limits)
    // Nothing was sent yet, so this is the other that is admitted.
    try harness.feed(RawPeer.headers(1) + Self.update(0, 1) + RawPeer.frame(T.data, 1, 1, []))
    #expect(harness.sent(on: 1) == sent)
    let covered = sent / HTTP2Limits.octetsPerWindowUpdate
    // As a peer that has got empty messages, of five octets each, and gives back each of them twice.
    try #require(covered >= 2 * sent / 5)
    for _ in 0..<covered { try harness.feed(Self.update(stream, 1)) }
    #expect(harness.goAway == nil)
    try harness.feed(Self.update(stream, 1))
    #expect(harness.goAway == ResetCode.enhanceYourCalm.rawValue)
  }

  @Test func `what was sent counts for later updates up to maxWindowUpdateCredit`() {
    var credit = WindowUpdateCredit()
    let most = HTTP2Limits.maxWindowUpdateCredit / HTTP2Limits.octetsPerWindowUpdate
    let covered = (0...most).count { _ in credit.covers(sent: 1 << 40) }
    #expect(covered == most)
    let coversOneMore = credit.covers(sent: (1 << 40) + HTTP2Limits.octetsPerWindowUpdate)
    #expect(coversOneMore)
  }

  @Test func `a stream without body does not wait for the connection's window`() throws {
    let harness = try Self.answering(0)
    try harness.feed(RawPeer.headers(1, endStream: true))
    #expect(harness.events.last == "closed 1 0")
  }

  @Test func `frames are as long as the peer takes them`() throws {
    let harness = try Self.answering(60_000)
    try harness.feed(Self.setting(5, 32_768) + RawPeer.headers(1, endStream: true))
    #expect(harness.frames.filter { $0.type == T.data }.map(\.payload.count) == [32_768, 27_232])
  }

  @Test func `each of our offers of a window holds from its acknowledgement on`() throws {
    var limits = HTTP2Limits()
    limits.streamWindow = 100_000
    limits.connectionWindow = 1 << 20
    let harness = try SessionHarness(.server, limits: limits)
    harness.session.setReceiveWindow(stream: 200_000, connection: 1 << 20)
    let chunk = { (count: Int) in
      stride(from: 0, to: count, by: 10_000).flatMap { _ in
        RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 0, count: 10_000))
      }
    }
    // The first SETTINGS are acknowledged, the second not yet.
    try harness.feed(RawPeer.headers(1) + RawPeer.frame(T.settings, 1, 0, []) + chunk(100_000))
    #expect(harness.resets.isEmpty)
    try harness.feed(RawPeer.frame(T.settings, 1, 0, []) + chunk(100_000))
    #expect(harness.resets.isEmpty)
    try harness.feed(chunk(10_000))
    #expect(harness.resets == [1: ResetCode.flowControlError.rawValue])
  }

  @Test func `window goes back in pieces of half of it`() throws {
    let harness = try SessionHarness(.server)
    try harness.feed(RawPeer.headers(1) + RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 0, count: 16_384)))
    let stream = try #require(harness.streams[1])
    #expect(stream.unconsumed == 16_384)
    harness.session.consume(stream, 16_384)
    try harness.takeOutput()
    #expect(harness.frames.filter { $0.type == T.windowUpdate && $0.stream == 1 }.isEmpty)
    for _ in 0..<2 { try harness.feed(RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 0, count: 16_384))) }
    harness.session.consume(stream, 32_768)
    try harness.takeOutput()
    let updates = harness.frames.filter { $0.type == T.windowUpdate && $0.stream == 1 }
    #expect(updates.map(\.payload) == [Self.number(49_152)])
  }

  @Test func `padding goes back at once`() throws {
    var limits = HTTP2Limits()
    limits.streamWindow = 65_535
    let harness = try SessionHarness(.server, limits: limits)
    try harness.feed(RawPeer.headers(1))
    // 300 frames of nothing but padding are more than the window.
    let padded = RawPeer.frame(T.data, 8, 1, [255] + [UInt8](repeating: 0, count: 255))
    for _ in 0..<300 { try harness.feed(padded) }
    #expect(harness.goAway == nil)
    #expect(harness.resets.isEmpty)
  }
}
