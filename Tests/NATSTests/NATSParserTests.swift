import Base
import Testing

@testable import NATS

struct NATSParserTests {
  private func parse(_ bytes: [UInt8], piece: Int, limits: NATSLimits = NATSLimits()) throws -> [NATSServerMessage] {
    var parser = NATSParser(limits: limits)
    var messages: [NATSServerMessage] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      parser.append(bytes[start..<min(start + piece, bytes.count)])
      while let message = try parser.next() { messages.append(message) }
    }
    return messages
  }

  private let conversation = Array(
    "INFO {\"a\":1}\r\nPING\r\nmsg a.b 7 5\r\nab\r\nc\r\nMSG a 8 reply 0\r\n\r\n+OK\r\nPONG\r\n-ERR 'no'\r\n".utf8)

  @Test(arguments: [1, 2, 3, 7, 1000])
  func `understands the server in pieces of any size`(piece: Int) throws {
    #expect(
      try parse(conversation, piece: piece) == [
        .info, .ping, .message(subscription: 7, payload: Array("ab\r\nc".utf8)),
        .message(subscription: 8, payload: []), .ok, .pong, .error("'no'"),
      ])
  }

  @Test(arguments: [
    "HELLO\r\n", "\r\n", "PING\n", "MSG a 1\r\n", "MSG a x 1\r\n", "MSG a 1 -1\r\n", "MSG a 1 99999999999999999999\r\n",
    "MSG a 1 1\r\nabc\r\n", "MSG a 1 2 3 4\r\n",
  ])
  func `refuses what no server says`(text: String) {
    #expect(throws: NATSError.self) { try parse(Array(text.utf8), piece: 4) }
  }

  @Test func `refuses a line beyond lineBytes, also before its end`() throws {
    var limits = NATSLimits()
    limits.lineBytes = 20
    let line = "INFO " + String(repeating: "x", count: 14) + "\r\n"
    #expect(try parse(Array(line.utf8), piece: 5, limits: limits) == [.info])
    #expect(throws: NATSError.self) { try parse(Array(("INFO x" + line).utf8), piece: 50, limits: limits) }
    #expect(throws: NATSError.self) { try parse([UInt8](repeating: 0x41, count: 22), piece: 1, limits: limits) }
  }

  @Test func `refuses a message beyond messageBytes by its first line`() throws {
    var limits = NATSLimits()
    limits.messageBytes = 3
    #expect(try parse(Array("MSG a 1 3\r\nabc\r\n".utf8), piece: 4, limits: limits).count == 1)
    #expect(throws: NATSError.self) { try parse(Array("MSG a 1 4\r\n".utf8), piece: 4, limits: limits) }
  }

  @Test func `survives conversations with random changes`() {
    let random = SeededRandomSource(seed: 5)
    for _ in 0..<3000 {
      var bytes = conversation
      for _ in 0...random.below(4) { bytes[Int(random.below(UInt64(bytes.count)))] = UInt8(random.below(256)) }
      do { _ = try parse(bytes, piece: 1 + Int(random.below(40))) } catch { #expect(error is NATSError) }
    }
  }

  @Test func `reads URLs and refuses wrong ones without showing them`() throws {
    #expect(
      try NATSAddress.parse("nats://a,nats://u:p%40w@b:1/,nats://t@[::1]:2") == [
        NATSAddress(host: "a", port: 4222, credentials: .none),
        NATSAddress(host: "b", port: 1, credentials: .password(user: "u", password: "p@w")),
        NATSAddress(host: "::1", port: 2, credentials: .token("t")),
      ])
    for url in ["", "a:1", "nats://", "nats://a:0", "nats://a:x", "nats://secret%4@a", "nats://a,,nats://b"] {
      let error = #expect(throws: NATSError.self) { try NATSAddress.parse(url) }
      #expect(error?.description.contains("secret") == false)
    }
  }

  @Test func `takes so many servers and no more`() throws {
    let count = NATSLimits().servers
    let list = Array(repeating: "nats://a", count: count).joined(separator: ",")
    #expect(try NATSAddress.parse(list).count == count)
    #expect(throws: NATSError.self) { try NATSAddress.parse(list + ",nats://a") }
  }
}
