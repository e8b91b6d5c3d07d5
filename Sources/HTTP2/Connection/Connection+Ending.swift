internal import RPC

/// How the ends of connections and streams look to those who wait for them.
extension Connection {
  /// Reads on for the sake of the peer's end alone.
  func swallow() {
    do {
      for _ in 0..<HTTP2Limits.readsPerTick {
        switch try channel.read(into: loop.readBuffer) {
        case .moved: continue
        case .wouldBlock: return
        case .end: return close(.connectionLost("the connection has ended"))
        }
      }
    } catch {
      close(.connectionLost("\(error)"))
    }
  }

  /// What to tell a stream's handler about its end.
  func closure(of stream: HTTP2Stream, _ code: UInt32) -> StreamClosure? {
    if code == 0, isComplete(stream) { return nil }
    if code == ResetCode.refusedStream.rawValue { return .refused }
    // A code that nobody knows counts as an internal error (RFC 9113 §7).
    return .reset(ResetCode(rawValue: code) ?? .internalError)
  }
}
