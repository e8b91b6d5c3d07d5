internal import CLinux
internal import RPC

/// Octets in: preface and frames.
extension HTTP2Session {
  func receive(_ bytes: UnsafeRawBufferPointer) throws(SessionFailure) {
    guard !hasEnded else { return }
    defer { reportClosed() }
    var input = bytes
    if prefaceLeft > 0 { try takePreface(&input) }
    while !input.isEmpty {
      if body != nil {
        try takeBody(&input)
      } else if !partial.isEmpty {
        guard try completePartial(&input) else { return }
      } else {
        guard try takeFrame(&input) else {
          partial.append(contentsOf: input)
          return
        }
      }
      // A handler may have ended the session.
      if hasEnded { return }
    }
  }

  /// - Throws: if the client does not speak HTTP/2 (RFC 9113 §3.4).
  private func takePreface(_ input: inout UnsafeRawBufferPointer) throws(SessionFailure) {
    let preface = HTTP2Protocol.clientPreface
    let count = min(prefaceLeft, input.count)
    let offset = preface.utf8CodeUnitCount - prefaceLeft
    guard count == 0 || memcmp(input.baseAddress.unsafelyUnwrapped, preface.utf8Start + offset, count) == 0 else {
      throw connectionError(.protocolError, "the preface is wrong")
    }
    prefaceLeft -= count
    input = UnsafeRawBufferPointer(rebasing: input[count...])
  }

  /// Takes the frame at the start of `input`, or the header and what is there of the content if it is DATA.
  /// - Returns: false if there is too little for that.
  @inline(__always)
  private func takeFrame(_ input: inout UnsafeRawBufferPointer) throws(SessionFailure) -> Bool {
    guard input.count >= FrameHeader.size else { return false }
    let header = FrameHeader(input.baseAddress.unsafelyUnwrapped)
    try check(header)
    if header.type == FrameType.data {
      let paddingLength = header.has(FrameFlags.padded) ? 1 : 0
      guard input.count >= FrameHeader.size + min(paddingLength, header.length) else { return false }
      try beginData(header, padding: paddingLength == 1 && header.length > 0 ? input[FrameHeader.size] : nil)
      let taken = FrameHeader.size + min(paddingLength, header.length)
      input = UnsafeRawBufferPointer(rebasing: input[taken...])
      try takeBody(&input)
      return true
    }
    let end = FrameHeader.size + header.length
    guard input.count >= end else { return false }
    try dispatch(header, UnsafeRawBufferPointer(rebasing: input[FrameHeader.size..<end]))
    input = UnsafeRawBufferPointer(rebasing: input[end...])
    return true
  }

  /// Gathers the rest of a frame that has come in part, and takes it.
  /// - Returns: false if it is still not whole.
  private func completePartial(_ input: inout UnsafeRawBufferPointer) throws(SessionFailure) -> Bool {
    while true {
      let wanted = partialLength
      let count = min(wanted - partial.count, input.count)
      partial.append(contentsOf: input[..<count])
      input = UnsafeRawBufferPointer(rebasing: input[count...])
      guard partial.count == wanted else { return false }
      // With the header complete, more may be wanted.
      if partialLength == wanted { break }
      // Judged before the content is gathered, which could be 16 MiB.
      try check(partial.withUnsafeBytes { FrameHeader($0.baseAddress.unsafelyUnwrapped) })
    }
    let frame = partial
    partial = []
    try frame.withUnsafeBufferPointer { octets throws(SessionFailure) in
      var octets = UnsafeRawBufferPointer(octets)
      let isTaken = try takeFrame(&octets)
      precondition(isTaken, "a gathered frame is whole")
    }
    return true
  }

  /// How many octets of the frame in `partial` are needed to take it.
  private var partialLength: Int {
    guard partial.count >= FrameHeader.size else { return FrameHeader.size }
    let header = partial.withUnsafeBytes { FrameHeader($0.baseAddress.unsafelyUnwrapped) }
    if header.type == FrameType.data {
      return FrameHeader.size + (header.has(FrameFlags.padded) ? min(1, header.length) : 0)
    }
    return FrameHeader.size + header.length
  }

  /// What can be said of a frame by its header alone; said before the payload is waited for.
  @inline(__always)
  private func check(_ header: FrameHeader) throws(SessionFailure) {
    guard header.length <= HTTP2Protocol.defaultFrameSize else {
      throw connectionError(.frameSizeError, "a frame is too long")
    }
    if let headerBlock {
      guard header.type == FrameType.continuation, header.streamID == headerBlock.streamID else {
        throw connectionError(.protocolError, "a header block is interrupted")
      }
    } else if header.type == FrameType.continuation {
      throw connectionError(.protocolError, "CONTINUATION without a header block")
    }
    if !hasGreeted, header.type != FrameType.settings || header.has(FrameFlags.acknowledgement) {
      throw connectionError(.protocolError, "the first frame is not SETTINGS")
    }
  }

  private func dispatch(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    switch header.type {
    case FrameType.headers: try takeHeaders(header, payload)
    case FrameType.continuation: try takeContinuation(header, payload)
    case FrameType.windowUpdate: try takeWindowUpdate(header, payload)
    case FrameType.resetStream: try takeReset(header, payload)
    case FrameType.settings: try takeSettings(header, payload)
    case FrameType.ping: try takePing(header, payload)
    case FrameType.goAway: try takeGoAway(header, payload)
    case FrameType.priority: try takePriority(header, payload)
    case FrameType.pushPromise: throw connectionError(.protocolError, "PUSH_PROMISE is not allowed")
    default: try countIdleFrame()
    }
  }

  /// - Throws: if too many frames have come that carry nothing forward.
  func countIdleFrame() throws(SessionFailure) {
    if !guardian.admitsIdleFrame() { throw connectionError(.enhanceYourCalm, "a flood of idle frames") }
  }

  /// Whether a stream has never been opened, by either side (RFC 9113 §5.1).
  func isIdle(_ id: Int32) -> Bool {
    switch role {
    case .server: id & 1 == 0 || id > history.highest
    case .client: id & 1 == 0 || (nextStreamID > 0 && id >= nextStreamID)
    }
  }

  /// The scheme of priorities is deprecated; the frame is only checked (RFC 9113 §6.3).
  private func takePriority(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    guard header.streamID != 0 else { throw connectionError(.protocolError, "PRIORITY without a stream") }
    try countIdleFrame()
    guard payload.count == 5 else {
      return try streamError(header.streamID, .frameSizeError, "PRIORITY has a wrong size")
    }
  }

  private func takeReset(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    guard payload.count == 4 else { throw connectionError(.frameSizeError, "RST_STREAM has a wrong size") }
    guard header.streamID != 0, !isIdle(header.streamID) else {
      throw connectionError(.protocolError, "RST_STREAM on an idle stream")
    }
    guard let stream = streams.find(header.streamID) else { return try countIdleFrame() }
    let code = UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self))
    // A peer may reset with NO_ERROR too; only a stream that was answered ends that way by itself.
    if code != 0 || !stream.sentEnd { try countReset() }
    close(stream, code)
  }

  /// - Throws: if too many streams have ended by a reset.
  func countReset() throws(SessionFailure) {
    if role == .server, !guardian.admitsReset() {
      throw connectionError(.enhanceYourCalm, "a flood of resets")
    }
  }

  /// Ends one stream because of what the peer has sent (RFC 9113 §5.4.2).
  /// - Throws: if there are too many of these, or the stream was never opened, as nobody could hear of it then.
  func streamError(_ id: Int32, _ code: ResetCode, _ reason: String) throws(SessionFailure) {
    guard !isIdle(id) else { throw connectionError(code, reason) }
    try countReset()
    if let stream = streams.find(id) {
      reset(stream, code)
    } else {
      append(FrameType.resetStream, id, code.rawValue)
      history.noteReset(id)
    }
  }
}
