internal import CLinux
internal import RPC

/// Header blocks: requests, responses and trailers.
extension HTTP2Session {
  /// Whether a header block, or a frame that is taken as a whole, has begun and not ended.
  var isInsideHeaderBlock: Bool { headerBlock != nil || partial.count > FrameHeader.size }

  func takeHeaders(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    let id = header.streamID
    guard id & 1 == 1 else { throw connectionError(.protocolError, "HEADERS on a stream that nobody can open") }
    let fragment = try withoutPadding(header, payload)
    if role == .server, id > history.highest {
      if history.opened(id) { try judgeSkipping() }
      let isWelcome = id <= lastAcceptedID
      if isWelcome, streams.count < shared.values.maxConcurrentStreams { return try takeRequest(header, fragment) }
      knownBlock.removeAll(keepingCapacity: true)
      begin(header, nil, isIgnored: true)
      if isWelcome { try streamError(id, .refusedStream, "too many streams") }
    } else {
      try beginOther(header)
    }
    try decode(fragment, isLast: header.has(FrameFlags.endHeaders))
  }

  /// All that was passed over must be remembered, so that HEADERS on it can be told from those on a closed stream. Some
  /// clients take an id for a call that is given up before it is sent: they are asked in time to connect anew.
  private func judgeSkipping() throws(SessionFailure) {
    let most = shared.values.maxSkippedRanges
    guard history.skippedRanges <= most else {
      throw connectionError(.enhanceYourCalm, "too many streams were passed over")
    }
    if history.skippedRanges > most / 2 { delegate.retire() }
  }

  /// The usual case, without looking twice: a whole request, perhaps in the same octets as the last.
  private func takeRequest(_ header: FrameHeader, _ fragment: UnsafeRawBufferPointer) throws(SessionFailure) {
    let endStream = header.has(FrameFlags.endStream)
    let isWhole = header.has(FrameFlags.endHeaders)
    if isWhole, isKnown(fragment) { return try openStream(header.streamID, endStream) }
    knownBlock.removeAll(keepingCapacity: true)
    begin(header, nil, isIgnored: false, isRequest: true)
    block.begin(.request)
    try decode(fragment, isLast: isWhole)
    if isWhole, fragment.count <= HTTP2Limits.rememberedBlockSize, !block.isMalformed, !block.isTooLarge,
      HeaderDecoder.leavesTable(fragment)
    {
      knownBlock.append(contentsOf: fragment)
    }
  }

  private func isKnown(_ fragment: UnsafeRawBufferPointer) -> Bool {
    guard !knownBlock.isEmpty, knownBlock.count == fragment.count else { return false }
    return knownBlock.withUnsafeBytes {
      memcmp($0.baseAddress.unsafelyUnwrapped, fragment.baseAddress.unsafelyUnwrapped, fragment.count) == 0
    }
  }

  private func begin(_ header: FrameHeader, _ stream: HTTP2Stream?, isIgnored: Bool, isRequest: Bool = false) {
    headerBlock = HeaderBlockInProgress(
      streamID: header.streamID, endStream: header.has(FrameFlags.endStream), stream: stream, isIgnored: isIgnored,
      isRequest: isRequest)
  }

  /// Begins a block that opens no stream of the peer.
  private func beginOther(_ header: FrameHeader) throws(SessionFailure) {
    let id = header.streamID
    knownBlock.removeAll(keepingCapacity: true)
    guard !isIdle(id) else { throw connectionError(.protocolError, "HEADERS on an idle stream") }
    guard let stream = streams.find(id) else {
      if history.wasSkipped(id) {
        throw connectionError(.protocolError, "HEADERS on a stream that was passed over")
      }
      begin(header, nil, isIgnored: true)
      return try answerClosed(id)
    }
    if stream.receivedEnd {
      begin(header, nil, isIgnored: true)
      return try streamError(id, .streamClosed, "HEADERS after the end of the stream")
    }
    begin(header, stream, isIgnored: false)
    block.begin(role == .server || stream.hasReceivedHead ? .trailers : .response)
  }

  /// A frame has come on a stream that is closed.
  /// - Parameter isBody: whether it carries content.
  func answerClosed(_ id: Int32, isBody: Bool = false) throws(SessionFailure) {
    let wasReset = history.wasReset(id)
    // What was under way when this side reset the stream is nobody's fault: a whole window, in small frames perhaps.
    if !wasReset || !isBody { try countIdleFrame() }
    guard !wasReset else { return }
    append(FrameType.resetStream, id, ResetCode.streamClosed.rawValue)
    history.noteReset(id)
  }

  /// The content of HEADERS or CONTINUATION.
  private func withoutPadding(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer
  ) throws(SessionFailure) -> UnsafeRawBufferPointer {
    var start = 0
    var padding = 0
    if header.has(FrameFlags.padded) {
      guard let length = payload.first else { throw connectionError(.frameSizeError, "HEADERS without pad length") }
      padding = Int(length)
      start = 1
    }
    if header.has(FrameFlags.priority) { start += 5 }
    guard start <= payload.count else { throw connectionError(.frameSizeError, "HEADERS are too short") }
    guard start + padding <= payload.count else {
      throw connectionError(.protocolError, "HEADERS have more padding than content")
    }
    return UnsafeRawBufferPointer(rebasing: payload[start..<(payload.count - padding)])
  }

  func takeContinuation(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    headerBlock?.continuations += 1
    guard let headerBlock, headerBlock.continuations <= shared.values.maxContinuations else {
      throw connectionError(.enhanceYourCalm, "a flood of CONTINUATION")
    }
    try decode(payload, isLast: header.has(FrameFlags.endHeaders))
  }

  private func decode(_ fragment: UnsafeRawBufferPointer, isLast: Bool) throws(SessionFailure) {
    guard let isIgnored = headerBlock?.isIgnored else { return }
    if decoder == nil { decoder = HeaderDecoder(memory: memory) }
    var isBomb = false
    // Not nil, as it was just made if there was none.
    let isDecoded = decoder!.decode(fragment, isLast: isLast) { name, value in
      if isIgnored { return true }
      isBomb = block.add(name, value) == .bomb
      return !isBomb
    }
    guard isDecoded else { throw connectionError(.compressionError, "a header block cannot be decoded") }
    guard !isBomb else { throw connectionError(.enhanceYourCalm, "a header list is far too large") }
    if isLast { try endBlock() }
  }

  private func endBlock() throws(SessionFailure) {
    guard let ended = headerBlock else { return }
    headerBlock = nil
    guard !ended.isIgnored else { return }
    block.end()
    if ended.isRequest { return try openStream(ended.streamID, ended.endStream) }
    guard let stream = ended.stream, !stream.isClosing else { return }
    guard !block.isMalformed, isInPlace(ended, stream) else {
      return try streamError(ended.streamID, .protocolError, "malformed headers")
    }
    let isInterim = block.section == .response && block.status < 200
    if block.section == .response, !isInterim {
      stream.hasReceivedHead = true
      // The answers that have no content may name the length of what they do not bring (RFC 9110 §8.6).
      stream.contentLeft = [204, 304].contains(block.status) ? nil : block.contentLength
    }
    if ended.endStream, !isComplete(stream) {
      return try streamError(ended.streamID, .protocolError, "the content is shorter than declared")
    }
    if ended.endStream { stream.receivedEnd = true }
    stream.receiveHeaders(&block, endStream: ended.endStream)
    if ended.endStream { closeIfDone(stream) }
  }

  /// Trailers end the stream; an interim response does not (RFC 9113 §8.1).
  private func isInPlace(_ ended: HeaderBlockInProgress, _ stream: HTTP2Stream) -> Bool {
    switch block.section {
    case .request: true
    case .trailers: ended.endStream
    case .response: block.status >= 200 || !ended.endStream
    }
  }

  /// A request is complete but for its body.
  private func openStream(_ id: Int32, _ endStream: Bool) throws(SessionFailure) {
    if block.isTooLarge {
      // The delegate answers it.
    } else if block.isMalformed {
      return try streamError(id, .protocolError, "malformed headers")
    } else if endStream, block.contentLength ?? 0 != 0 {
      return try streamError(id, .protocolError, "the content is shorter than declared")
    }
    let length = block.contentLength
    let isRefused = block.isTooLarge
    guard let stream = delegate.receivedRequest(id, &block, endStream: endStream) else { return try countReset() }
    if isRefused { try countReset() }
    stream.contentLeft = length
    guard !stream.isClosing else {
      // Answered or reset while it was made.
      stream.isOpen = true
      return closing.append(stream)
    }
    begin(stream)
    closeIfDone(stream)
  }

  /// A stream is open from now on.
  func begin(_ stream: HTTP2Stream) {
    stream.isOpen = true
    stream.outboundWindow = outboundStreamWindow
    stream.inbound = InboundWindow(size: inboundStreamWindow)
    streams.insert(stream)
  }
}
