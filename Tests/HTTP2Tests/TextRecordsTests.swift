import Base
import Glibc
import Testing

@testable import HTTP2

/// Answers of name servers.
@Suite struct TextRecordsTests {
  private static func number(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

  private static func name(_ labels: String...) -> [UInt8] {
    labels.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  /// A record whose name is a pointer to that of the question.
  private static func record(_ type: Int, _ data: [UInt8], kind: Int = 1) -> [UInt8] {
    [0xc0, 12] + number(type) + number(kind) + [0, 0, 0, 60] + number(data.count) + data
  }

  private static func message(_ records: [[UInt8]], count: Int? = nil) -> [UInt8] {
    [1, 2, 0x81, 0x80] + number(1) + number(count ?? records.count) + number(0) + number(0)
      + name("_grpc_config", "shop", "example") + number(16) + number(1) + records.flatMap(\.self)
  }

  private static func text(_ strings: String...) -> [UInt8] {
    strings.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
  }

  @Test func `the strings of a record are one text, and other records are passed over`() {
    let alias = Self.record(5, Self.name("elsewhere"))
    let other = Self.record(16, Self.text("chaos"), kind: 3)
    let message = Self.message([alias, Self.record(16, Self.text("a=", "", "bc")), other, Self.record(16, [])])
    #expect(TextRecords.parse(message) == [Array("a=bc".utf8), []])
  }

  @Test func `a message without answers has no records`() {
    #expect(TextRecords.parse(Self.message([])) == [])
  }

  @Test func `a message that is cut anywhere is malformed`() {
    let message = Self.message([Self.record(16, Self.text("abc")), Self.record(16, Self.text("d"))])
    for length in 0..<message.count { #expect(TextRecords.parse(message.prefix(length)) == nil, "\(length)") }
    #expect(TextRecords.parse(message) != nil)
  }

  @Test(arguments: [
    // More records than there are, a string beyond its record, a label of a reserved kind.
    message([record(16, text("abc"))], count: 2), message([record(16, [9, 65])]),
    message([[0x80, 0] + record(16, text("abc"))]),
  ])
  func `what does not fit together is malformed`(_ message: [UInt8]) {
    #expect(TextRecords.parse(message) == nil)
  }

  @Test func `no octets make it trap`() {
    let random = SeededRandomSource(seed: 11)
    let good = Self.message([Self.record(16, Self.text("abc", "de")), Self.record(5, Self.name("x"))])
    for _ in 0..<20_000 {
      var message = good
      for _ in 0...random.below(4) { message[Int(random.below(UInt64(message.count)))] = UInt8(random.below(256)) }
      _ = TextRecords.parse(message.prefix(Int(random.below(UInt64(message.count + 1)))))
    }
  }

  @Test func `a silent name server is asked nameServerTries times, for nameServerSeconds each`() async throws {
    let server = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(server) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let size = length
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(server, $0, size) == 0 && getsockname(server, $0, &length) == 0
      }
    }
    try #require(isBound)
    let port = UInt16(bigEndian: address.sin_port)
    let began = ContinuousClock.now
    await #expect(throws: SystemError.self) {
      try await OSThread.run(name: "resolver") {
        try TextRecords.lookUp("_grpc_config.shop.example", nameServer: .ipv4([127, 0, 0, 1], port: port))
      }
    }
    #expect(ContinuousClock.now - began >= .seconds(HTTP2Limits.nameServerSeconds * HTTP2Limits.nameServerTries))
    var questions = 0
    var datagram = [UInt8](repeating: 0, count: 512)
    while recv(server, &datagram, datagram.count, Int32(MSG_DONTWAIT)) > 0 { questions += 1 }
    #expect(questions == HTTP2Limits.nameServerTries)
  }
}
