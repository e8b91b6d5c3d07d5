import Base
import RPC
import Testing

@testable import HTTP2

/// Limits of what is remembered, kept for later, or read at all.
extension LimitTests {
  private typealias T = RawPeer.FrameType

  // MARK: Heads

  @Test func `a connection remembers rememberedBlocks blocks of answers`() {
    let output = OutputBuffer(capacity: 64)
    var encoder = HeaderEncoder(memory: SessionMemory())
    for number in 0..<(HTTP2Limits.rememberedBlocks + 2) {
      // A `location` does not go into the table.
      _ = encoder.encode(status: 200, ["location": "/\(number)"], into: output)
    }
    #expect(encoder.remembered.count == HTTP2Limits.rememberedBlocks)
  }

  @Test func `of a list beyond the limit a content-type of contentTypeSize is kept, the first`() {
    var limits = HTTP2Limits()
    limits.maxHeaderFields = 0
    for (length, isKept) in [(HTTP2Limits.contentTypeSize, true), (HTTP2Limits.contentTypeSize + 1, false)] {
      var block = HeaderBlock(limits: limits)
      block.begin(.request)
      let value = Array(repeating: UInt8(ascii: "a"), count: length)
      for name in ["x", "content-type", "content-type"] {
        let outcome = Array(name.utf8).withUnsafeBufferPointer { name in
          value.withUnsafeBufferPointer { block.add(name, $0) }
        }
        #expect(outcome == .dropped)
      }
      #expect(block.isTooLarge && block.headers.count == (isKept ? 1 : 0))
    }
  }

  /// The request whose head, and whose first chunk's size, these octets are.
  private func parse(_ text: String) throws(HTTP1Refusal) -> HTTP1Request {
    var parser = HTTP1Parser(limits: HTTP2Limits(), isEncrypted: false)
    var block = HeaderBlock(limits: HTTP2Limits())
    var offset = 0
    let octets = Array(text.utf8)
    while try parser.next(octets.span, &offset, bodyLimit: .max, into: &block) != .needsMore {}
    return parser.request
  }

  @Test func `a Content-Length has contentLengthDigits at most`() throws {
    func length(_ digits: Int) throws(HTTP1Refusal) -> HTTP1Request.Body {
      let number = String(repeating: "0", count: digits - 1) + "7"
      return try parse("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(number)\r\n\r\n").body
    }
    #expect(try length(HTTP2Limits.contentLengthDigits) == .length(7))
    #expect(throws: HTTP1Refusal.self) { try length(HTTP2Limits.contentLengthDigits + 1) }
  }

  @Test func `the size of a chunk has chunkSizeDigits at most`() throws {
    func chunk(_ digits: Int) throws(HTTP1Refusal) -> HTTP1Request.Body {
      let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      return try parse(head + String(repeating: "f", count: digits) + "\r\n").body
    }
    #expect(try chunk(HTTP2Limits.chunkSizeDigits) == .chunked)
    #expect(throws: HTTP1Refusal.self) { try chunk(HTTP2Limits.chunkSizeDigits + 1) }
  }

  // MARK: Floods

  @Test func `a bucket is filled after floodRefillInterval, and for longestFloodRefill at most`() {
    var limits = HTTP2Limits()
    limits.idleFrameBurst = 10_000
    limits.idleFramesPerSecond = 100
    var now: Int64 = 0
    var guardian = FloodGuard(limits: limits) { now }
    func admitted() -> Int {
      var count = 0
      while guardian.admitsIdleFrame() { count += 1 }
      return count
    }
    #expect(admitted() == 10_000)
    now += HTTP2Limits.floodRefillInterval - 1
    #expect(admitted() == 0)
    now += 1
    #expect(admitted() == 10)
    now += 10 * HTTP2Limits.longestFloodRefill
    #expect(admitted() == 100 * HTTP2Limits.longestFloodRefill / 1_000_000_000)
  }

  // MARK: Queues

  @Test func `a queue that never runs empty is cleared of deadPlaces`() {
    var queue = StreamQueue()
    let stream = HTTP2Stream(connection: nil, id: 1)
    for _ in 0..<(2 * HTTP2Limits.deadPlaces) { queue.append(stream) }
    for _ in 1..<HTTP2Limits.deadPlaces { _ = queue.popFirst() }
    #expect(queue.streams.count == 2 * HTTP2Limits.deadPlaces)
    _ = queue.popFirst()
    #expect(queue.streams.count == HTTP2Limits.deadPlaces && queue.count == HTTP2Limits.deadPlaces)
  }

  @Test func `a queue that runs empty keeps keptQueuePlaces`() {
    let stream = HTTP2Stream(connection: nil, id: 1)
    // An array that grows has room for up to twice its elements and what the allocator gave beyond that.
    for (count, isKept) in [(HTTP2Limits.keptQueuePlaces / 4, true), (HTTP2Limits.keptQueuePlaces + 1, false)] {
      var queue = StreamQueue()
      for _ in 0..<count { queue.append(stream) }
      for _ in 0..<count { _ = queue.popFirst() }
      #expect(queue.isEmpty && (queue.streams.capacity > 0) == isKept)
    }
  }

  @Test func `the list of streams that are over keeps keptPlaces`() throws {
    for (count, isKept) in [(HTTP2Limits.keptPlaces, true), (HTTP2Limits.keptPlaces + 1, false)] {
      let harness = try SessionHarness(.server)
      try harness.feed((0..<count).flatMap { RawPeer.headers(UInt32(2 * $0 + 1)) })
      for stream in Array(harness.streams.values) { harness.session.reset(stream, .cancel) }
      try #require(harness.session.closing.count == count)
      harness.session.reportClosed()
      #expect(harness.session.closing.isEmpty && (harness.session.closing.capacity >= count) == isKept)
    }
  }

  @Test func `streams that end while ends are reported are reported once`() throws {
    let harness = try SessionHarness(.server)
    try harness.feed([1, 3, 5].flatMap { RawPeer.headers(UInt32($0)) })
    let streams = harness.streams
    harness.onClose = { harness, id in
      guard id == 1, let last = streams[5] else { return }
      harness.session.reset(last, .cancel)
      harness.session.reportClosed()
    }
    for id: Int32 in [1, 3] { harness.session.reset(try #require(streams[id]), .cancel) }
    harness.session.reportClosed()
    #expect(harness.events.filter { $0.hasPrefix("closed") } == ["closed 1 8", "closed 3 8", "closed 5 8"])
    #expect(harness.session.closing.isEmpty && harness.session.reported == 0)
  }

  // MARK: Windows

  @Test func `a window that is large enough is measured again after windowPause of it`() {
    var window = ReceiveWindow(HTTP2Limits())
    for _ in 0..<20 {
      window.asked(0)
      _ = window.took(1)
      let hasGrown = window.answered(1_000_000)
      #expect(!hasGrown)
    }
    let isEarly = window.took(window.size * HTTP2Limits.windowPause - 1)
    let isTime = window.took(1)
    #expect(!isEarly && isTime)
  }

  @Test func `a handler hears that there is room when what waits has fallen to the low mark`() throws {
    let harness = try SessionHarness(.server)
    harness.onRequest = { harness, stream in
      stream.write([UInt8](repeating: 7, count: StreamWaterMarks.high))
      harness.session.respond(stream, status: 200, headers: HeaderList(), endStream: false)
    }
    func window(_ count: Int) -> [UInt8] {
      RawPeer.frame(T.windowUpdate, 0, 1, (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) })
    }
    // SETTINGS_INITIAL_WINDOW_SIZE of nothing.
    try harness.feed(RawPeer.frame(T.settings, 0, 0, [0, 4, 0, 0, 0, 0]) + RawPeer.headers(1))
    try harness.feed(window(StreamWaterMarks.high - StreamWaterMarks.low - 1))
    #expect(harness.sent(on: 1) == StreamWaterMarks.high - StreamWaterMarks.low - 1)
    #expect(!harness.events.contains("drained 1"))
    try harness.feed(window(1))
    #expect(harness.events.contains("drained 1"))
  }
}
