import Base
import RPC
import Testing

@testable import HTTP2

/// What holds for a session whatever a client sends, tried with frames made at random.
@Suite struct SessionModelTests {
  private typealias T = RawPeer.FrameType

  static func limits() -> HTTP2Limits {
    var limits = HTTP2Limits()
    // Small, so that what is lost of them shows.
    limits.connectionWindow = 100_000
    limits.streamWindow = 50_000
    limits.maxConcurrentStreams = 40
    limits.resetBurst = 1_000_000
    limits.idleFrameBurst = 1_000_000
    return limits
  }

  /// Octets that open the connection, and those of `count` frames.
  private static func octets(seed: UInt64, count: Int, rudeness: Int) -> [UInt8] {
    var generator = FrameGenerator(seed: seed, rudeness: rudeness)
    return RawPeer.frame(T.settings, 1, 0, []) + (0..<count).flatMap { _ in generator.next() }
  }

  private static func answer(_ harness: SessionHarness, _ stream: SessionHarness.Stream, _ size: Int) {
    harness.session.respond(stream, status: 200, headers: ["x-size": "\(size)"], endStream: false)
    guard !stream.isFinished, !stream.isClosing else { return }
    stream.write([UInt8](repeating: 7, count: size))
    stream.finish(trailers: size % 2 == 0 ? ["grpc-status": "0"] : nil)
    harness.session.resume(stream)
  }

  /// What a handler does depends on its stream alone, and not on how the octets came.
  private static func behave(_ harness: SessionHarness, _ stream: SessionHarness.Stream) {
    let size = Int(stream.id) * 37 % 3000
    switch Int(stream.id) / 2 % 5 {
    case 0: harness.session.respond(stream, status: 204, headers: HeaderList(), endStream: true)
    case 1: answer(harness, stream, size)
    case 2: harness.session.reset(stream, .cancel)
    default:
      if stream.receivedEnd { return answer(harness, stream, size) }
      stream.onEnd = { [unowned harness] in answer(harness, $0, size) }
    }
  }

  /// The same, put in order: what happened on each stream, and each frame's stream, type and flags.
  static func summary(_ harness: SessionHarness) -> [String: [String]] {
    var summary: [String: [String]] = [:]
    for event in harness.events {
      let words = event.split(separator: " ")
      guard words.count > 1 else { continue }
      let key = "stream \(words[1])"
      if words[0] == "data" {
        let text = words.count > 2 ? String(words[2]) : ""
        if summary[key]?.last?.hasPrefix("data") == true {
          summary[key]![summary[key]!.count - 1] += text
        } else {
          summary[key, default: []].append("data" + text)
        }
      } else {
        summary[key, default: []].append(event)
      }
    }
    for frame in harness.frames where frame.type != T.windowUpdate {
      summary["frames \(frame.stream)", default: []].append("\(frame.type) \(frame.flags) \(frame.payload.count)")
    }
    summary["goaway"] = [harness.goAway.map { "\($0)" } ?? "none"]
    return summary
  }

  /// What is sent on a stream ends once: with nothing after a reset, and after the last frame only window or a reset.
  static func checkSent(_ harness: SessionHarness, seed: UInt64) {
    var ended: Set<UInt32> = []
    var reset: Set<UInt32> = []
    for frame in harness.frames where frame.stream != 0 {
      #expect(!reset.contains(frame.stream), "\(frame) after a reset, seed \(seed)")
      switch frame.type {
      case T.reset: reset.insert(frame.stream)
      case T.windowUpdate: break
      default:
        #expect(!ended.contains(frame.stream), "\(frame) after the end, seed \(seed)")
        if frame.type != T.continuation, frame.flags & 1 != 0 { ended.insert(frame.stream) }
      }
    }
  }

  /// Ends the streams that are left, and sees that each has ended once and that all of the windows is there again.
  static func checkEnd(_ harness: SessionHarness, opened: Int, seed: UInt64) throws {
    // Streams with open windows end by themselves; the others are ended.
    for stream in harness.streams.values { harness.session.reset(stream, .cancel) }
    try harness.takeOutput()
    checkSent(harness, seed: seed)
    let closed = harness.events.filter { $0.hasPrefix("closed") }.map { $0.split(separator: " ")[1] }
    #expect(Set(closed).count == closed.count, "a stream ended twice, seed \(seed)")
    guard harness.failure == nil else { return }
    #expect(closed.count == opened, "seed \(seed)")
    #expect(opened > 50, "seed \(seed)")
    #expect(harness.session.streams.isEmpty)
    #expect(harness.session.inbound.held == 0, "window is lost, seed \(seed)")
    #expect(harness.session.receiveWindow > 50_000, "less than half of the window is left, seed \(seed)")
    // And what was sent is within what was given.
    #expect(harness.session.sendWindow >= 0)
  }

  @Test(arguments: UInt64(1)...40)
  func `frames mean the same however they are cut`(seed: UInt64) throws {
    let octets = Self.octets(seed: seed, count: 250, rudeness: 300)
    var summaries: [[String: [String]]] = []
    for size in [Int.max, 1, 7, 1000] {
      let harness = try SessionHarness(.server, limits: Self.limits())
      harness.onRequest = Self.behave
      try harness.feed(octets, pieces: size)
      summaries.append(Self.summary(harness))
    }
    for other in summaries.dropFirst() {
      for key in Set(other.keys).union(summaries[0].keys) {
        #expect(other[key] == summaries[0][key], "\(key), seed \(seed)")
      }
    }
  }

  @Test(arguments: UInt64(1)...60)
  func `whatever handlers do, streams end once and no window is lost`(seed: UInt64) throws {
    let harness = try SessionHarness(.server, limits: Self.limits())
    let random = SeededRandomSource(seed: seed &* 7919)
    let below = { (bound: Int) in Int(random.below(UInt64(bound))) }
    let act: (SessionHarness, SessionHarness.Stream) -> Void = { harness, own in
      // Mostly its own stream, sometimes another.
      let all = harness.streams.values.sorted { $0.id < $1.id }
      let stream = below(4) == 0 && !all.isEmpty ? all[below(all.count)] : own
      switch below(9) {
      case 0: harness.session.reset(stream, .cancel)
      case 1 where !stream.isFinished: Self.answer(harness, stream, below(2) == 0 ? 0 : below(90_000))
      case 2 where !stream.hasSentHead && !stream.isFinished:
        stream.isFinished = true
        harness.session.respond(stream, status: 200, headers: HeaderList(), endStream: true)
      case 4...6:
        let count = below(stream.unconsumed + 1)
        guard !stream.isClosed, count > 0 else { return }
        stream.unconsumed -= count
        harness.session.consume(stream, count)
      default: break
      }
    }
    harness.onRequest = { [unowned harness] _, stream in
      stream.onBody = { stream, _ in act(harness, stream) }
      stream.onEnd = { act(harness, $0) }
      act(harness, stream)
    }
    var generator = FrameGenerator(seed: seed, rudeness: seed % 3 == 0 ? 2000 : .max)
    try harness.feed(RawPeer.frame(T.settings, 1, 0, []))
    for _ in 0..<200 where harness.failure == nil {
      try harness.feed((0..<10).flatMap { _ in generator.next() }, pieces: 1 + below(3000))
    }
    let opened = harness.events.filter { $0.hasPrefix("request") }.count
    try Self.checkEnd(harness, opened: opened, seed: seed)
  }
}
