internal import RPC

/// Octets out: heads, bodies, trailers and resets.
extension HTTP2Session {
  // MARK: Asked for by the connection and its streams

  func open(_ head: RequestHead, _ stream: HTTP2Stream) -> Bool {
    guard nextStreamID > 0, !hasEnded else { return false }
    stream.id = nextStreamID
    // Wraps to a negative number after the last.
    nextStreamID &+= 2
    begin(stream)
    prepareEncoder()
    appendHeaders(stream.id, endStream: false, to: control) { $0.encode(head, into: control) }
    stream.hasSentHead = true
    wait(stream)
    return true
  }

  func respond(_ stream: HTTP2Stream, status: Int, headers: HeaderList, endStream: Bool) {
    guard !stream.isClosing, !stream.hasSentHead, !hasEnded else { return }
    prepareEncoder()
    appendHeaders(stream.id, endStream: endStream, to: control) {
      $0.encode(status: status, headers, into: control)
    }
    stream.hasSentHead = true
    if endStream { ended(stream) } else { wait(stream) }
  }

  /// A stream whose head is sent sends its body from now on.
  private func wait(_ stream: HTTP2Stream) {
    stream.isDeferred = true
    if stream.hasWork { resume(stream) }
  }

  func resume(_ stream: HTTP2Stream) {
    guard stream.hasSentHead, !stream.isClosing, !stream.sentEnd else { return }
    stream.isDeferred = false
    queue(stream)
  }

  func reset(_ stream: HTTP2Stream, _ code: ResetCode) {
    guard !stream.isClosing, !hasEnded else { return }
    append(FrameType.resetStream, stream.id, code.rawValue)
    history.noteReset(stream.id)
    close(stream, code.rawValue)
  }

  // MARK: The end of a stream

  /// Ends a stream; the delegate hears of it in `reportClosed`.
  func close(_ stream: HTTP2Stream, _ code: UInt32) {
    guard !stream.isClosing else { return }
    stream.isClosing = true
    stream.closingCode = code
    if stream.isStarved {
      starvedInVain += 1
      if starvedInVain >= HTTP2Limits.deadPlaces, starvedInVain * 2 >= starved.count {
        starved.removeClosed()
        starvedInVain = 0
      }
    }
    // One that the delegate is just making is closed when it is there; see `openStream`.
    guard stream.isOpen else { return }
    streams.remove(stream.id)
    closing.append(stream)
  }

  /// Ends a stream on which both sides have said everything.
  @inline(__always)
  func closeIfDone(_ stream: HTTP2Stream) {
    if stream.sentEnd, stream.receivedEnd { close(stream, 0) }
  }

  /// The last frame of our direction is written. A server that has answered before the request was complete does not
  /// want the rest of it (RFC 9113 §8.1).
  private func ended(_ stream: HTTP2Stream) {
    stream.sentEnd = true
    if role == .server, !stream.receivedEnd {
      append(FrameType.resetStream, stream.id, ResetCode.noError.rawValue)
      history.noteReset(stream.id)
      close(stream, 0)
    } else {
      closeIfDone(stream)
    }
  }

  /// Also reports the streams that a report ends.
  func reportClosed() {
    // What the delegate does may close others, and have them reported before this returns.
    while reported < closing.count {
      let stream = closing[reported]
      reported += 1
      stream.isOpen = false
      if stream.unconsumed > 0 { returnConnectionWindow(stream.unconsumed) }
      delegate.streamClosed(stream, code: stream.closingCode)
    }
    // Mostly one, and to take that out costs less than to empty an array.
    if closing.count == 1 {
      closing.removeLast()
    } else {
      closing.removeAll(keepingCapacity: closing.count <= HTTP2Limits.keptPlaces)
    }
    reported = 0
  }

  // MARK: Output

  func produce(into output: OutputBuffer, limit: Int) throws(SessionFailure) -> Bool {
    flushControl(to: output)
    guard !hasEnded else { return false }
    while output.total < limit, let stream = nextToSend() {
      send(stream, into: output)
      // What was written meanwhile comes next: header blocks must go out in the order in which they were encoded.
      if !closing.isEmpty { reportClosed() }
      flushControl(to: output)
    }
    return !ready.isEmpty || outboundWindow > 0 && !starved.isEmpty
  }

  /// Those that wait for window of the connection have waited longest.
  @inline(__always)
  private func nextToSend() -> HTTP2Stream? {
    if outboundWindow > 0, let stream = starved.popFirst() {
      stream.isStarved = false
      if stream.isClosing { starvedInVain -= 1 }
      return stream
    }
    guard let stream = ready.popFirst() else { return nil }
    stream.isQueued = false
    return stream
  }

  @inline(__always)
  func queue(_ stream: HTTP2Stream) {
    guard !stream.isQueued, !stream.isStarved, !stream.isDeferred, stream.hasSentHead else { return }
    stream.isQueued = true
    ready.append(stream)
  }

  /// Writes one frame of DATA, and what follows the last of them.
  @inline(__always)
  private func send(_ stream: HTTP2Stream, into output: OutputBuffer) {
    guard !stream.isClosing, !stream.sentEnd else { return }
    let available = stream.outbound.count
    guard available > 0 else {
      if stream.isFinished { finish(stream, into: output) } else { stream.isDeferred = true }
      return
    }
    // A window update brings the stream back.
    guard stream.outboundWindow > 0 else { return }
    guard outboundWindow > 0 else {
      stream.isStarved = true
      starved.append(stream)
      return
    }
    let length = min(min(available, stream.outboundWindow), min(outboundWindow, outboundFrameSize))
    stream.outboundWindow -= length
    outboundWindow -= length
    let isLast = length == available && stream.isFinished
    let endsHere = isLast && stream.trailers == nil
    output.append(
      FrameHeader(
        length: length, type: FrameType.data, flags: endsHere ? FrameFlags.endStream : 0, streamID: stream.id))
    if stream.take(length, into: output) { delegate.streamDrained(stream) }
    if endsHere {
      ended(stream)
    } else if isLast {
      finish(stream, into: output)
    } else if length < available {
      queue(stream)
    } else {
      stream.isDeferred = true
    }
  }

  /// Writes what ends a stream whose body is sent.
  private func finish(_ stream: HTTP2Stream, into output: OutputBuffer) {
    // Taken out: a copy would count one reference more.
    if let trailers = stream.trailers.take() {
      appendHeaders(stream.id, endStream: true, to: output) { $0.encode(status: 0, trailers, into: output) }
    } else {
      output.append(
        FrameHeader(length: 0, type: FrameType.data, flags: FrameFlags.endStream, streamID: stream.id))
    }
    ended(stream)
  }

  private func prepareEncoder() {
    guard encoder == nil else { return }
    var made = HeaderEncoder(memory: memory)
    if leastEncoderTableSize < HTTP2Protocol.defaultHeaderTableSize { made.limitTable(to: leastEncoderTableSize) }
    if encoderTableSize != leastEncoderTableSize { made.limitTable(to: encoderTableSize) }
    encoder = consume made
  }

  /// Writes a header block as HEADERS, and as CONTINUATION what is beyond the longest frame.
  /// - Parameter encode: appends the block to `output` and returns its length.
  @inline(__always)
  private func appendHeaders(
    _ streamID: Int32, endStream: Bool, to output: OutputBuffer, _ encode: (inout HeaderEncoder) -> Int
  ) {
    let start = output.count
    _ = output.reserve(FrameHeader.size)
    output.commit(FrameHeader.size)
    // Not nil: `prepareEncoder` came before, as a head goes before trailers.
    let length = encode(&encoder!)
    let flags = endStream ? FrameFlags.endStream : 0
    if length <= outboundFrameSize {
      FrameHeader(
        length: length, type: FrameType.headers, flags: flags | FrameFlags.endHeaders, streamID: streamID
      ).write(to: output.bytes(from: start))
    } else {
      split(output, from: start, length, streamID, flags)
    }
    if output === control { countFrame() }
  }

  /// Lays a block that is too long for one frame out as several.
  private func split(_ output: OutputBuffer, from start: Int, _ length: Int, _ streamID: Int32, _ flags: UInt8) {
    let block = [UInt8](output.bytes[(start + FrameHeader.size)...])
    output.truncate(to: start)
    for offset in stride(from: 0, to: length, by: outboundFrameSize) {
      let count = min(outboundFrameSize, length - offset)
      var header = FrameHeader(length: count, type: FrameType.continuation, flags: 0, streamID: streamID)
      if offset == 0 {
        header.type = FrameType.headers
        header.flags = flags
      }
      if offset + count == length { header.flags |= FrameFlags.endHeaders }
      output.append(header)
      block.withUnsafeBytes { output.append($0.baseAddress.unsafelyUnwrapped + offset, count) }
    }
  }
}
