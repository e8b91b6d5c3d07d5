internal import RPC

/// DATA that comes in, and the windows both ways (RFC 9113 §5.2, §6.1, §6.9).
extension HTTP2Session {
  /// Takes the header of a DATA frame, and its pad length if it has one. The whole length counts against the windows.
  @inline(__always)
  func beginData(_ header: FrameHeader, padding: UInt8?) throws(SessionFailure) {
    guard header.streamID != 0 else { throw connectionError(.protocolError, "DATA without a stream") }
    if header.has(FrameFlags.padded), padding == nil {
      throw connectionError(.frameSizeError, "DATA without pad length")
    }
    let padding = padding.map { Int($0) + 1 } ?? 0
    guard padding <= header.length else {
      throw connectionError(.protocolError, "DATA have more padding than content")
    }
    guard inbound.take(header.length) else { throw connectionError(.flowControlError, "DATA beyond the window") }
    let endStream = header.has(FrameFlags.endStream)
    let content = header.length - padding
    if content == 0, !endStream { try countIdleFrame() }
    let stream = try receiver(of: header, content: content)
    // Padding is not held, and neither is what nobody wants.
    if stream == nil {
      returnConnectionWindow(header.length)
    } else if padding > 0 {
      returnConnectionWindow(padding)
      if let stream { returnWindow(stream, padding) }
    }
    body = BodyInProgress(
      stream: stream, left: content, padding: max(0, padding - 1), endStream: endStream && stream != nil)
  }

  /// The stream that a DATA frame is for; nil if it is to be ignored.
  @inline(__always)
  private func receiver(of header: FrameHeader, content: Int) throws(SessionFailure) -> HTTP2Stream? {
    let id = header.streamID
    guard let stream = streams.find(id) else {
      guard !isIdle(id) else { throw connectionError(.protocolError, "DATA on an idle stream") }
      try answerClosed(id, isBody: content > 0)
      return nil
    }
    if stream.receivedEnd {
      try streamError(id, .streamClosed, "DATA after the end of the stream")
      return nil
    }
    if role == .client, !stream.hasReceivedHead {
      try streamError(id, .protocolError, "DATA before the head of the response")
      return nil
    }
    guard stream.inbound.take(header.length) else {
      try streamError(id, .flowControlError, "DATA beyond the window")
      return nil
    }
    if let left = stream.contentLeft {
      guard content <= left, !header.has(FrameFlags.endStream) || content == left else {
        try streamError(id, .protocolError, "the content is not as long as declared")
        return nil
      }
      stream.contentLeft = left - content
    }
    return stream
  }

  /// Gives what is there of a DATA frame's content to its stream.
  @inline(__always)
  func takeBody(_ input: inout UnsafeRawBufferPointer) throws(SessionFailure) {
    guard var frame = body else { return }
    let count = min(frame.left, input.count)
    if count > 0 {
      frame.left -= count
      let content = UnsafeRawBufferPointer(rebasing: input[..<count])
      input = UnsafeRawBufferPointer(rebasing: input[count...])
      if let stream = frame.stream {
        if stream.isClosing {
          // The stream has no use for it any more, and nobody will give this part of the window back.
          returnConnectionWindow(count)
        } else {
          stream.unconsumed += count
          stream.received &+= count
          if frame.endStream, frame.left == 0, frame.padding == 0 {
            body = nil
            stream.receivedEnd = true
            stream.receiveLast(content)
            return closeIfDone(stream)
          }
          stream.receive(content)
        }
      }
    }
    if frame.left == 0, frame.padding > 0 {
      let skipped = min(frame.padding, input.count)
      frame.padding -= skipped
      input = UnsafeRawBufferPointer(rebasing: input[skipped...])
    }
    guard frame.left == 0, frame.padding == 0 else {
      body = frame
      return
    }
    body = nil
    guard frame.endStream, let stream = frame.stream, !stream.isClosing else { return }
    stream.receivedEnd = true
    stream.receiveEnd()
    closeIfDone(stream)
  }

  /// Whether the content is as long as was declared.
  func isComplete(_ stream: HTTP2Stream) -> Bool { stream.contentLeft ?? 0 == 0 }

  // MARK: What the peer may send

  func consume(_ stream: HTTP2Stream, _ count: Int) {
    returnWindow(stream, count)
    returnConnectionWindow(count)
  }

  @inline(__always)
  private func returnWindow(_ stream: HTTP2Stream, _ count: Int) {
    // Nothing more comes on a stream that has ended.
    guard !stream.receivedEnd, !stream.isClosing else { return }
    let increment = stream.inbound.giveBack(count)
    if increment > 0 { append(FrameType.windowUpdate, stream.id, UInt32(increment)) }
  }

  @inline(__always)
  func returnConnectionWindow(_ count: Int) {
    guard !hasEnded else { return }
    let increment = inbound.giveBack(count)
    if increment > 0 { append(FrameType.windowUpdate, 0, UInt32(increment)) }
  }

  // MARK: What we may send

  func takeWindowUpdate(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    guard payload.count == 4 else { throw connectionError(.frameSizeError, "WINDOW_UPDATE has a wrong size") }
    if !updateCredit.covers(sent: grantedWindow - outboundWindow) { try countIdleFrame() }
    let increment = Int(UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)) & 0x7fff_ffff)
    let id = header.streamID
    if id == 0 {
      guard increment > 0 else { throw connectionError(.protocolError, "WINDOW_UPDATE by nothing") }
      guard outboundWindow + increment <= HTTP2Protocol.maxWindow else {
        throw connectionError(.flowControlError, "the connection's window is too large")
      }
      // `produce` goes on with the streams that wait for it, as far as it reaches.
      outboundWindow += increment
      grantedWindow += increment
      return
    }
    guard !isIdle(id) else { throw connectionError(.protocolError, "WINDOW_UPDATE on an idle stream") }
    // Often a peer gives back what it got before it saw the end.
    guard let stream = streams.find(id) else { return }
    guard increment > 0 else { return try streamError(id, .protocolError, "WINDOW_UPDATE by nothing") }
    guard stream.outboundWindow + increment <= HTTP2Protocol.maxWindow else {
      return try streamError(id, .flowControlError, "the stream's window is too large")
    }
    stream.outboundWindow += increment
    if stream.hasWork { queue(stream) }
  }
}
