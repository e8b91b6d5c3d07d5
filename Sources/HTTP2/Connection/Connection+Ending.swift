internal import RPC

/// How connections and streams end, and how that looks to those who wait for it.
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

  func reset(_ stream: HTTP2Stream, _ code: ResetCode) {
    session.reset(stream, code)
    needsFlush()
  }

  /// Takes what the peer has sent although nothing can be sent to it: which requests it has not taken, and answers.
  func hearOut() {
    while state == .open, failure == nil, case .moved(let count)? = try? channel.read(into: loop.readBuffer) {
      take(UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count]))
    }
  }

  /// What to tell a stream's handler about its end.
  func closure(of stream: HTTP2Stream, _ code: UInt32) -> StreamClosure? {
    if code == 0, isComplete(stream) { return nil }
    if code == ResetCode.refusedStream.rawValue { return closure(of: stream, endedBy: .refused) }
    // A code that nobody knows counts as an internal error (RFC 9113 §7).
    return .reset(ResetCode(rawValue: code) ?? .internalError)
  }
}
