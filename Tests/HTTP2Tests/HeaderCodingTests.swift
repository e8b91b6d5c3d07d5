import Base
import RPC
import Testing

@testable import HTTP2

/// HPACK, and the short cuts around it: blocks that are known again must mean what they would mean without.
@Suite struct HeaderCodingTests {
  private static func fields(_ headers: HeaderList, status: Int) -> [String] {
    (status == 0 ? [] : [":status=\(status)"]) + headers.map { "\(headers.name(of: $0))=\(headers.value(of: $0))" }
  }

  @Test(arguments: 1...8)
  func `what the encoder sends is what a decoder reads, in any order of blocks and sizes of table`(seed: Int) throws {
    let random = SeededRandomSource(seed: UInt64(seed))
    let memory = SessionMemory()
    var encoder = HeaderEncoder(memory: memory)
    let decoder = HeaderDecoder(memory: memory)
    let output = OutputBuffer(capacity: 64)
    let lists: [HeaderList] = [
      ["content-type": "application/grpc"], ["grpc-status": "0"], ["grpc-status": "13", "grpc-message": "x"],
      [:], ["a": "b", "c": "d"], ["long": String(repeating: "v", count: 900)],
    ]
    for _ in 0..<2000 {
      var headers = lists[Int(random.below(UInt64(lists.count)))]
      let isNew = random.below(20) == 0
      if isNew { headers.append("x-\(random.below(1000))", "\(random.next())") }
      let status = [0, 200, 404][Int(random.below(3))]
      if random.below(100) == 0 { encoder.limitTable(to: Int(random.below(5000))) }
      output.removeAll()
      let length = encoder.encode(status: status, headers, into: output)
      #expect(length == output.count)
      var read: [String] = []
      let isDecoded = decoder.decode(output.bytes, isLast: true) { name, value in
        read.append("\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))")
        return true
      }
      #expect(isDecoded)
      #expect(read == Self.fields(headers, status: status))
    }
  }

  @Test func `a request that is known again is the same, until another changes the table`() throws {
    let harness = try SessionHarness(.server)
    // The authority goes into the table; then the whole request is indexes.
    let base: [UInt8] = [0x83, 0x86, 0x84]
    try harness.feed(RawPeer.headers(1, base + [0x41] + RawPeer.string("first"), endStream: true))
    try harness.feed(RawPeer.headers(3, base + [0xbe], endStream: true))
    try harness.feed(RawPeer.headers(5, base + [0xbe], endStream: true))
    #expect(!harness.session.knownBlock.isEmpty, "the third is not decoded")
    try harness.feed(RawPeer.headers(7, base + [0x41] + RawPeer.string("second"), endStream: true))
    try harness.feed(RawPeer.headers(9, base + [0xbe], endStream: true))
    try harness.feed(RawPeer.headers(11, base + [0xbf], endStream: true))
    #expect(
      harness.events == [
        "request 1 POST / first end", "request 3 POST / first end", "request 5 POST / first end",
        "request 7 POST / second end", "request 9 POST / second end", "request 11 POST / first end",
      ])
  }

  @Test func `a block that is not wanted changes the table as well`() throws {
    var limits = HTTP2Limits()
    limits.maxConcurrentStreams = 1
    let harness = try SessionHarness(.server, limits: limits)
    let base: [UInt8] = [0x83, 0x86, 0x84]
    try harness.feed(RawPeer.headers(1, base + [0x41] + RawPeer.string("first"), endStream: true))
    try harness.feed(RawPeer.headers(3, base + [0x41] + RawPeer.string("refused"), endStream: true))
    #expect(harness.resets == [3: ResetCode.refusedStream.rawValue])
    try harness.feed(RawPeer.frame(RawPeer.FrameType.reset, 0, 1, [0, 0, 0, 8]))
    try harness.feed(RawPeer.headers(5, base + [0xbe], endStream: true))
    #expect(harness.events.last == "request 5 POST / refused end")
  }

  @Test(
    arguments: [
      ([0x82, 0x84], true), ([0x00, 1, 97, 1, 98], true), ([0x10, 1, 97, 1, 98], true), ([0x0f, 0x10, 1, 98], true),
      ([0x40, 1, 97, 1, 98], false), ([0x3e], false), ([0x00, 5, 97], false), ([0xff], false), ([0x00, 0xff], false),
      ([], true),
    ] as [([UInt8], Bool)])
  func `which blocks leave the table alone`(block: [UInt8], expected: Bool) {
    #expect(block.withUnsafeBytes { HeaderDecoder.leavesTable($0) } == expected)
  }

  @Test(arguments: 1...20)
  func `the table of streams finds what is in it`(seed: Int) {
    let random = SeededRandomSource(seed: UInt64(seed))
    var table = StreamTable()
    var model: [Int32: HTTP2Stream] = [:]
    for _ in 0..<3000 {
      // Far apart, so that many would have the same place.
      let id = Int32(random.below(400)) * 14 + 1
      if let stream = model[id] {
        #expect(table.find(id) === stream)
        if random.below(2) == 0 {
          table.remove(id)
          model[id] = nil
        }
      } else {
        #expect(table.find(id) == nil)
        let stream = HTTP2Stream(connection: nil, id: id)
        model[id] = stream
        table.insert(stream)
      }
      #expect(table.count == model.count)
    }
    #expect(Set(table.all.map(\.id)) == Set(model.keys))
  }
}
