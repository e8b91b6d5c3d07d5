import Base
import RPC

@testable import HTTP2

/// The HTTP/1 session.
enum HTTP1Fuzz {
  private static let limits: SharedLimits = {
    var limits = HTTP2Limits()
    // Small, so that bodies have to wait.
    limits.streamWindow = 16
    limits.maxHeaderListSize = 1024
    limits.maxHeaderFields = 20
    return SharedLimits(limits, random: SeededRandomSource(seed: 1))
  }()

  /// However the octets are cut, they mean the same requests and get the same answers; what is accepted has one length;
  /// and no octets are left over that nobody waits for.
  static func run(_ input: [UInt8]) throws {
    let whole = try feed([input[...]], rounds: input.count)
    let cut = try feed(pieces(input), rounds: input.count)
    // What an early answer overtakes depends on when octets come: a 100, or the fault in a body.
    if String(decoding: input, as: UTF8.self).contains(SessionRecorder.earlyPath) { return }
    try require(whole.events == cut.events, "other events in pieces: \(whole.events) and \(cut.events)")
    try require(whole.output == cut.output, "other answers in pieces: \(whole.output) and \(cut.output)")
  }

  private static func feed(
    _ pieces: [ArraySlice<UInt8>], rounds: Int
  ) throws -> (events: [SessionRecorder.Event], output: String) {
    let recorder = SessionRecorder()
    let session = HTTP1Session(limits: limits, isEncrypted: false, delegate: recorder)
    recorder.session = session
    var output: [UInt8] = []
    for piece in pieces where !session.isFinished {
      piece.withUnsafeBytes { session.receive($0) }
      // Every request is answered when it is complete, and its body taken, so nothing keeps the session from reading.
      for _ in 0...rounds where session.demand == .silence && !session.isFinished {
        output += try recorder.produce()
        recorder.consumeAll()
      }
      output += try recorder.produce()
      try require(session.demand != .silence || session.isFinished, "the session reads no more, and waits for nobody")
    }
    for case .request(_, let head, let headers) in recorder.events {
      try require(!head.utf8.contains { $0 < 0x20 || $0 == 0x7f }, "a control character in \(head)")
      for field in headers {
        try require(
          headers.octets[field.value].allSatisfy(HTTP1Octets.isFieldValue)
            && headers.octets[field.name].allSatisfy(HTTP1Octets.isToken), "a control character in the fields")
      }
      try require(headers.first("transfer-encoding") == nil, "the handler sees the framing")
    }
    let text = String(decoding: output, as: UTF8.self)
    let answers = text.replacing(String(decoding: HTTP1Message.continueResponse, as: UTF8.self), with: "")
    return (recorder.events, answers)
  }
}
