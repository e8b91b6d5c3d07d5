import Base
import RPC
import Testing

@testable import HTTP2

/// What holds for a client's session whatever a server sends.
extension SessionModelTests {
  private typealias T = RawPeer.FrameType

  /// Sends more of a request.
  private static func write(_ harness: SessionHarness, _ stream: SessionHarness.Stream, _ size: Int, last: Bool) {
    stream.write([UInt8](repeating: 7, count: size))
    if last { stream.finish(trailers: nil) }
    harness.session.resume(stream)
  }

  /// A client that has made calls: some are whole, some go on, some have sent nothing yet, and some are given up as soon
  /// as an answer begins.
  private static func calling(_ count: Int) throws -> SessionHarness {
    let harness = try SessionHarness(.client, limits: limits())
    for number in 0..<count {
      let stream = try harness.open()
      if number % 3 < 2 { write(harness, stream, 100 * number, last: number % 3 == 0) }
      if number % 5 == 4 { stream.onHead = { [unowned harness] in harness.session.reset($0, .cancel) } }
      stream.onEnd = { [unowned harness] in
        // As callers do: the rest of the request is of no use.
        if !$0.isFinished { harness.session.reset($0, .noError) }
      }
    }
    try harness.takeOutput()
    return harness
  }

  @Test(arguments: UInt64(1)...40)
  func `answers mean the same however they are cut`(seed: UInt64) throws {
    let calls = 30
    var generator = FrameGenerator(seed: seed, rudeness: 400, as: .server, reach: calls)
    generator.received(request: Int32(2 * calls - 1))
    let octets = RawPeer.frame(T.settings, 1, 0, []) + (0..<250).flatMap { _ in generator.next() }
    var summaries: [[String: [String]]] = []
    for size in [Int.max, 1, 7, 1000] {
      let harness = try Self.calling(calls)
      try harness.feed(octets, pieces: size)
      summaries.append(Self.summary(harness))
      Self.checkSent(harness, seed: seed)
    }
    for other in summaries.dropFirst() {
      for key in Set(other.keys).union(summaries[0].keys) {
        #expect(other[key] == summaries[0][key], "\(key), seed \(seed)")
      }
    }
  }

  @Test(arguments: UInt64(1)...60)
  func `whatever callers do, calls end once and no window is lost`(seed: UInt64) throws {
    let harness = try SessionHarness(.client, limits: Self.limits())
    let random = SeededRandomSource(seed: seed &* 104_729)
    let below = { (bound: Int) in Int(random.below(UInt64(bound))) }
    var written: [Int32: Int] = [:]
    let act = { [unowned harness] (own: SessionHarness.Stream) in
      // Mostly its own stream, sometimes another.
      let all = harness.streams.values.sorted { $0.id < $1.id }
      let stream = below(4) == 0 && !all.isEmpty ? all[below(all.count)] : own
      guard !stream.isClosed, !stream.isClosing else { return }
      switch below(12) {
      case 0 where below(3) == 0: harness.session.reset(stream, .cancel)
      case 1...3 where !stream.isFinished:
        let size = below(3) == 0 ? 0 : below(20_000)
        written[stream.id, default: 0] += size
        Self.write(harness, stream, size, last: below(3) == 0)
      case 4...9:
        let count = below(3) == 0 ? below(stream.unconsumed + 1) : stream.unconsumed
        stream.unconsumed -= count
        harness.session.consume(stream, count)
      default: break
      }
    }
    var generator = FrameGenerator(seed: seed, rudeness: seed % 3 == 0 ? 2000 : .max, as: .server)
    try harness.feed(RawPeer.frame(T.settings, 1, 0, []))
    var opened = 0
    for _ in 0..<200 where harness.failure == nil {
      for _ in 0..<below(3) {
        let stream = try harness.open()
        opened += 1
        stream.onHead = act
        stream.onBody = { stream, _ in act(stream) }
        stream.onEnd = act
        generator.received(request: stream.id)
        act(stream)
      }
      try harness.feed((0..<10).flatMap { _ in generator.next() }, pieces: 1 + below(3000))
    }
    #expect(seed % 3 == 0 || harness.failure == nil, "\(harness.failure?.description ?? ""), seed \(seed)")
    if harness.failure == nil { try Self.leave(harness, seed: seed) }
    try Self.checkEnd(harness, opened: opened, seed: seed)
    for frame in harness.frames where frame.type == T.data && frame.flags & 1 != 0 {
      #expect(harness.sent(on: frame.stream) == written[Int32(frame.stream)] ?? 0, "seed \(seed)")
    }
  }

  /// The server goes: it refuses the later half of the streams that are open, which may be tried elsewhere.
  private static func leave(_ harness: SessionHarness, seed: UInt64) throws {
    let open = harness.streams.keys.sorted()
    guard !open.isEmpty else { return }
    let last = open[open.count / 2]
    let number = (0..<4).map { UInt8(last >> (24 - 8 * $0) & 255) }
    try harness.feed(RawPeer.frame(T.goAway, 0, 0, number + [0, 0, 0, 0]))
    #expect(harness.streams.keys.sorted() == open.filter { $0 <= last }, "seed \(seed)")
    for id in open where id > last {
      #expect(harness.events.contains("closed \(id) \(ResetCode.refusedStream.rawValue)"), "seed \(seed)")
    }
  }
}
