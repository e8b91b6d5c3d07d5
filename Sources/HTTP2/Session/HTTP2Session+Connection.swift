internal import RPC

/// SETTINGS, PING and GOAWAY.
extension HTTP2Session {
  /// The first words of this side (RFC 9113 §3.4).
  func greet(_ limits: HTTP2Limits) {
    if role == .client {
      let preface = HTTP2Protocol.clientPreface
      control.append(preface.utf8Start, preface.utf8CodeUnitCount)
    }
    let own =
      role == .server
      ? (SettingID.maxConcurrentStreams, limits.maxConcurrentStreams) : (SettingID.enablePush, 0)
    offer(streamWindow: limits.streamWindow, [(SettingID.maxHeaderListSize, limits.maxHeaderListSize), own])
    resizeConnectionWindow(to: limits.connectionWindow)
  }

  /// Writes SETTINGS, which hold when the peer has acknowledged them.
  private func offer(streamWindow: Int, _ others: [(id: UInt16, value: Int)]) {
    let window = min(streamWindow, HTTP2Protocol.maxWindow)
    offeredStreamWindows.append(window)
    let settings = [(SettingID.initialWindowSize, window)] + others
    control.append(FrameHeader(length: 6 * settings.count, type: FrameType.settings, flags: 0, streamID: 0))
    for (id, value) in settings {
      withUnsafeBytes(of: id.bigEndian) { control.append($0.baseAddress.unsafelyUnwrapped, $0.count) }
      let value = UInt32(clamping: value)
      withUnsafeBytes(of: value.bigEndian) { control.append($0.baseAddress.unsafelyUnwrapped, $0.count) }
    }
    countFrame()
  }

  func setReceiveWindow(stream: Int, connection: Int) {
    guard !hasEnded else { return }
    offer(streamWindow: stream, [])
    resizeConnectionWindow(to: connection)
  }

  /// Offers the peer another window for the connection.
  private func resizeConnectionWindow(to size: Int) {
    let increment = inbound.resize(to: min(size, HTTP2Protocol.maxWindow))
    if increment > 0 { append(FrameType.windowUpdate, 0, UInt32(increment)) }
  }

  // MARK: SETTINGS

  func takeSettings(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    guard header.streamID == 0 else { throw connectionError(.protocolError, "SETTINGS on a stream") }
    try countIdleFrame()
    if header.has(FrameFlags.acknowledgement) {
      guard payload.isEmpty else { throw connectionError(.frameSizeError, "an acknowledgement with content") }
      return settingsAcknowledged()
    }
    guard payload.count % 6 == 0 else { throw connectionError(.frameSizeError, "SETTINGS have a wrong size") }
    guard payload.count / 6 <= HTTP2Limits.parametersPerSettings else {
      throw connectionError(.enhanceYourCalm, "SETTINGS with too many parameters")
    }
    hasGreeted = true
    let windowBefore = outboundStreamWindow
    var largestWindow = outboundStreamWindow
    for offset in stride(from: 0, to: payload.count, by: 6) {
      let id = UInt16(bigEndian: payload.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      let value = UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: offset + 2, as: UInt32.self))
      try apply(id, Int(value))
      largestWindow = max(largestWindow, outboundStreamWindow)
    }
    // Once for all values, as a frame has room for many and a connection for many streams.
    try shiftOutboundWindows(by: outboundStreamWindow - windowBefore, largest: largestWindow - windowBefore)
    control.append(
      FrameHeader(length: 0, type: FrameType.settings, flags: FrameFlags.acknowledgement, streamID: 0))
    try countAcknowledgement()
    delegate.receivedSettings()
  }

  /// The values are checked as RFC 9113 §6.5.2 has them; unknown parameters are ignored.
  private func apply(_ id: UInt16, _ value: Int) throws(SessionFailure) {
    switch id {
    case SettingID.headerTableSize:
      encoderTableSize = value
      leastEncoderTableSize = min(leastEncoderTableSize, value)
      encoder?.limitTable(to: value)
    case SettingID.enablePush:
      guard value == 0 || (value == 1 && role == .server) else {
        throw connectionError(.protocolError, "ENABLE_PUSH has a wrong value")
      }
    case SettingID.maxConcurrentStreams:
      peerMaxConcurrentStreams = value
    case SettingID.initialWindowSize:
      guard value <= HTTP2Protocol.maxWindow else {
        throw connectionError(.flowControlError, "INITIAL_WINDOW_SIZE is too large")
      }
      outboundStreamWindow = value
    case SettingID.maxFrameSize:
      guard (HTTP2Protocol.defaultFrameSize...HTTP2Protocol.largestFrameSize).contains(value) else {
        throw connectionError(.protocolError, "MAX_FRAME_SIZE has a wrong value")
      }
      outboundFrameSize = min(value, HTTP2Limits.longestOutboundFrame)
    default:
      break
    }
  }

  /// The windows of open streams follow; they may become negative (RFC 9113 §6.9.2).
  /// - Parameter largest: the largest difference on the way there, which no window may exceed its limit by either.
  private func shiftOutboundWindows(by difference: Int, largest: Int) throws(SessionFailure) {
    guard difference != 0 || largest > 0 else { return }
    for stream in streams.all {
      guard stream.outboundWindow + largest <= HTTP2Protocol.maxWindow else {
        throw connectionError(.flowControlError, "INITIAL_WINDOW_SIZE makes a window too large")
      }
      stream.outboundWindow += difference
      if stream.hasWork { queue(stream) }
    }
  }

  /// The peer keeps to the oldest of our SETTINGS from now on.
  private func settingsAcknowledged() {
    guard !offeredStreamWindows.isEmpty else { return }
    inboundStreamWindow = offeredStreamWindows.removeFirst()
    for stream in streams.all { stream.inbound.shift(to: inboundStreamWindow) }
  }

  private func countAcknowledgement() throws(SessionFailure) {
    countFrame()
    queuedAcknowledgements += 1
    if queuedAcknowledgements > shared.values.maxQueuedAcknowledgements {
      throw connectionError(.enhanceYourCalm, "a flood of frames that want an answer")
    }
  }

  // MARK: PING

  func takePing(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    guard header.streamID == 0 else { throw connectionError(.protocolError, "PING on a stream") }
    guard payload.count == 8 else { throw connectionError(.frameSizeError, "PING has a wrong size") }
    try countIdleFrame()
    let content = UInt64(bigEndian: payload.loadUnaligned(as: UInt64.self))
    if header.has(FrameFlags.acknowledgement) { return delegate.receivedPong(content) }
    ping(content, flags: FrameFlags.acknowledgement)
    try countAcknowledgement()
    delegate.receivedPing()
  }

  func ping(_ payload: UInt64) {
    guard !hasEnded else { return }
    ping(payload, flags: 0)
    countFrame()
  }

  private func ping(_ payload: UInt64, flags: UInt8) {
    control.append(FrameHeader(length: 8, type: FrameType.ping, flags: flags, streamID: 0))
    withUnsafeBytes(of: payload.bigEndian) { control.append($0.baseAddress.unsafelyUnwrapped, $0.count) }
  }

  // MARK: GOAWAY

  func takeGoAway(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws(SessionFailure) {
    guard header.streamID == 0 else { throw connectionError(.protocolError, "GOAWAY on a stream") }
    guard payload.count >= 8 else { throw connectionError(.frameSizeError, "GOAWAY is too short") }
    try countIdleFrame()
    let last = Int32(
      truncatingIfNeeded: UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)) & 0x7fff_ffff)
    let code = UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    // It may not grow (§6.8), and a first one without a number ends nothing yet.
    lastWelcomeID = min(lastWelcomeID, last)
    delegate.receivedGoAway(lastStreamID: last, code: code)
    guard role == .client else { return }
    for stream in streams.all where stream.id > last {
      close(stream, ResetCode.refusedStream.rawValue)
    }
  }

  func announceShutdown() {
    guard !hasEnded else { return }
    goAway(last: HTTP2Protocol.largestStreamID, .noError)
  }

  func refuseNewStreams() {
    guard !hasEnded else { return }
    lastAcceptedID = min(lastAcceptedID, history.highest)
    goAway(last: lastAcceptedID, .noError)
  }

  func goAway(_ code: ResetCode, _ why: StaticString) {
    guard !hasEnded else { return }
    end()
    goAway(last: min(history.highest, lastAcceptedID), code, why)
  }

  func goAway(last: Int32, _ code: ResetCode, _ why: StaticString = "") {
    control.append(
      FrameHeader(length: 8 + why.utf8CodeUnitCount, type: FrameType.goAway, flags: 0, streamID: 0))
    for value in [UInt32(bitPattern: last), code.rawValue] {
      withUnsafeBytes(of: value.bigEndian) { control.append($0.baseAddress.unsafelyUnwrapped, $0.count) }
    }
    control.append(why.utf8Start, why.utf8CodeUnitCount)
    countFrame()
  }
}
