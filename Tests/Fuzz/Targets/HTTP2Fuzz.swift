import Base
import RPC

@testable import HTTP2

/// The frame layer of HTTP/2, on either side.
enum HTTP2Fuzz {
  private static let limits: SharedLimits = {
    var limits = HTTP2Limits()
    limits.maxHeaderListSize = 1024
    limits.maxHeaderFields = 20
    limits.maxConcurrentStreams = 4
    return SharedLimits(limits, random: SeededRandomSource(seed: 1))
  }()

  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  private static let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]

  /// What a client sends to a server, after its first words.
  static func run(_ input: [UInt8]) throws { try run(.server, preface + settings + input) }

  /// What a server sends to a client that has made calls.
  static func runClient(_ input: [UInt8]) throws { try run(.client, settings + input) }

  /// However the octets are cut, they mean the same events, in an order that has a meaning; all that is sent is frames,
  /// whole and within the peer's limit; and no window is lost.
  private static func run(_ role: HTTP2Session.Role, _ octets: [UInt8]) throws {
    let whole = try feed(role, [octets[...]])
    let cut = try feed(role, pieces(octets))
    try require(whole.hasFailed == cut.hasFailed, "another end in pieces: \(whole.events) and \(cut.events)")
    // When the end of a stream is reported depends on the pieces, and which streams end does not, unless all do.
    let (all, others) = (whole.events.filter { !$0.isEnd }, cut.events.filter { !$0.isEnd })
    try require(all == others, "other events in pieces: \(whole.events) and \(cut.events)")
    if !whole.hasFailed {
      try require(
        whole.events.count == cut.events.count && whole.events.allSatisfy(cut.events.contains),
        "other ends in pieces: \(whole.events) and \(cut.events)")
    }
  }

  private static func feed(
    _ role: HTTP2Session.Role, _ pieces: [ArraySlice<UInt8>]
  ) throws -> (events: [SessionRecorder.Event], hasFailed: Bool) {
    var hasFailed = false
    let recorder = SessionRecorder()
    defer { recorder.session = nil }
    // With a memory of its own, which is not for several threads: both sides are tried at once.
    let session = HTTP2Session(role: role, limits: limits, memory: SessionMemory(), delegate: recorder)
    recorder.session = session
    if role == .client { recorder.call() }
    do throws(SessionFailure) {
      for piece in pieces {
        try piece.withUnsafeBufferPointer { octets throws(SessionFailure) in
          try session.receive(UnsafeRawBufferPointer(octets))
        }
      }
    } catch {
      // The last words are still to come.
      hasFailed = true
    }
    var output = try recorder.produce()
    recorder.consumeAll()
    output += try recorder.produce()
    if role == .client {
      try require(output.starts(with: preface), "the first words are not the preface")
      output.removeFirst(preface.count)
    }
    try checkFrames(output)
    try require(!recorder.events.contains(.outOfOrder), "a response out of order: \(recorder.events)")
    // Of a frame that has come in part, the window for the rest is still to be given back.
    let underWay = session.body.map { $0.stream == nil ? 0 : $0.left } ?? 0
    try require(hasFailed || session.heldBytes == underWay, "\(session.heldBytes) octets are held for nobody")
    return (recorder.events, hasFailed)
  }

  private static func checkFrames(_ output: [UInt8]) throws {
    var offset = 0
    while offset < output.count {
      try require(output.count - offset >= 9, "half a frame header at the end")
      let length = Int(output[offset]) << 16 | Int(output[offset + 1]) << 8 | Int(output[offset + 2])
      try require(length <= 16_777_215 && output.count - offset - 9 >= length, "a frame is cut")
      if offset == 0 { try require(output[3] == 4, "the first frame is not SETTINGS") }
      offset += 9 + length
    }
  }
}
