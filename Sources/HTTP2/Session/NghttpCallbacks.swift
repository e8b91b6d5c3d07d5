internal import CNghttp2
internal import RPC

/// The functions that nghttp2 calls. None of them calls back into `mem_recv`, `mem_send` or `del`; submitting frames
/// is allowed to them.
struct NghttpCallbacks: @unchecked Sendable {
  // Unchecked because of the pointer: it is made once, never changed and never freed.
  let callbacks: OpaquePointer

  static let shared = NghttpCallbacks()

  private init() {
    var made: OpaquePointer?
    let result = nghttp2_session_callbacks_new(&made)
    precondition(result == 0, "nghttp2_session_callbacks_new: out of memory")
    // Not nil, as the call succeeded.
    let callbacks = made!
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) { _, header, user in
      // nghttp2 never passes nil for the frame header, the frame or our user data, here and below.
      NghttpCallbacks.with(user) { $0.beginFrame(header.unsafelyUnwrapped.pointee) }
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, _, user in
      NghttpCallbacks.with(user) { session in
        session.block.begin()
        return 0
      }
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) { _, _, name, nameLength, value, valueLength, _, user in
      NghttpCallbacks.with(user) { session in
        session.header(
          UnsafeBufferPointer(start: name, count: nameLength), UnsafeBufferPointer(start: value, count: valueLength))
      }
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { handle, frame, user in
      NghttpCallbacks.with(user) { $0.frame(frame.unsafelyUnwrapped, handle) }
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { handle, _, streamID, data, length, user in
      NghttpCallbacks.with(user) { session in
        session.data(
          UnsafeRawBufferPointer(start: data, count: length), streamID,
          nghttp2_session_get_stream_user_data(handle, streamID))
        return 0
      }
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { handle, streamID, code, user in
      NghttpCallbacks.with(user) { session in
        session.streamClosed(nghttp2_session_get_stream_user_data(handle, streamID), code)
        return 0
      }
    }
    nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, _, header, length, source, user in
      NghttpCallbacks.with(user) { session in
        session.sendData(header.unsafelyUnwrapped, length, source.unsafelyUnwrapped.pointee.ptr)
        return 0
      }
    }
    self.callbacks = callbacks
  }

  /// Tells how many body bytes there are, without copying them: `sendData` follows.
  static let readBody: nghttp2_data_source_read_callback = { _, _, _, length, flags, source, user in
    NghttpCallbacks.with(user) { $0.readBody(length, flags.unsafelyUnwrapped, source.unsafelyUnwrapped.pointee.ptr) }
  }

  @inline(__always)
  private static func with<Result>(_ user: UnsafeMutableRawPointer?, _ body: (NghttpSession) -> Result) -> Result {
    Unmanaged<NghttpSession>.fromOpaque(user.unsafelyUnwrapped)._withUnsafeGuaranteedRef(body)
  }
}

extension NghttpSession {
  private static let fatal = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue

  @inline(__always)
  private func withStream<Result>(_ pointer: UnsafeMutableRawPointer, _ body: (HTTP2Stream) -> Result) -> Result {
    Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
  }

  /// Stops nghttp2; `receive` then ends the session with `code`.
  private func stop(_ code: ResetCode) -> Int32 {
    violation = code
    return Self.fatal
  }

  fileprivate func beginFrame(_ header: nghttp2_frame_hd) -> Int32 {
    switch UInt32(header.type) {
    case NGHTTP2_CONTINUATION.rawValue:
      isInsideHeaderBlock = header.flags & UInt8(NGHTTP2_FLAG_END_HEADERS.rawValue) == 0
    case NGHTTP2_HEADERS.rawValue:
      isInsideHeaderBlock = header.flags & UInt8(NGHTTP2_FLAG_END_HEADERS.rawValue) == 0
      // nghttp2 takes HEADERS on an id below the highest for one of a stream already closed.
      if role == .server, !streamIDs.mayCarryHeaders(header.stream_id) { return stop(.protocolError) }
    case NGHTTP2_DATA.rawValue:
      let isEmpty = header.length == 0 && header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) == 0
      if isEmpty, !guardian.admitsIdleFrame() { return stop(.enhanceYourCalm) }
    case NGHTTP2_WINDOW_UPDATE.rawValue, NGHTTP2_RST_STREAM.rawValue, NGHTTP2_GOAWAY.rawValue:
      break
    default:
      if !guardian.admitsIdleFrame() { return stop(.enhanceYourCalm) }
    }
    return 0
  }

  fileprivate func header(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Int32 {
    block.add(name, value) == .bomb ? stop(.enhanceYourCalm) : 0
  }

  fileprivate func frame(_ frame: UnsafePointer<nghttp2_frame>, _ handle: OpaquePointer?) -> Int32 {
    let header = frame.pointee.hd
    let endStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue:
      headersReceived(header.stream_id, isRequest: frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST, endStream, handle)
    case NGHTTP2_DATA.rawValue where endStream:
      guard let pointer = nghttp2_session_get_stream_user_data(handle, header.stream_id) else { break }
      withStream(pointer) { stream in
        stream.receivedEnd = true
        stream.receiveEnd()
      }
    case NGHTTP2_SETTINGS.rawValue where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0:
      delegate.receivedSettings()
    case NGHTTP2_PING.rawValue where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0:
      delegate.receivedPing()
    case NGHTTP2_PING.rawValue:
      let payload = withUnsafeBytes(of: frame.pointee.ping.opaque_data) { $0.loadUnaligned(as: UInt64.self) }
      delegate.receivedPong(UInt64(bigEndian: payload))
    case NGHTTP2_GOAWAY.rawValue:
      delegate.receivedGoAway(
        lastStreamID: frame.pointee.goaway.last_stream_id, code: frame.pointee.goaway.error_code)
    default:
      break
    }
    return 0
  }

  private func headersReceived(_ streamID: Int32, isRequest: Bool, _ endStream: Bool, _ handle: OpaquePointer?) {
    if isRequest {
      guard let stream = delegate.receivedRequest(streamID, &block, endStream: endStream) else { return countReset() }
      nghttp2_session_set_stream_user_data(handle, streamID, Unmanaged.passUnretained(stream).toOpaque())
    } else if let pointer = nghttp2_session_get_stream_user_data(handle, streamID) {
      withStream(pointer) { stream in
        if endStream { stream.receivedEnd = true }
        stream.receiveHeaders(&block, endStream: endStream)
      }
    }
  }

  fileprivate func data(_ bytes: UnsafeRawBufferPointer, _ streamID: Int32, _ pointer: UnsafeMutableRawPointer?) {
    guard let pointer else {
      consume(streamID, bytes.count)
      return
    }
    withStream(pointer) { stream in
      stream.unconsumed += bytes.count
      stream.receive(bytes)
    }
  }

  fileprivate func streamClosed(_ pointer: UnsafeMutableRawPointer?, _ code: UInt32) {
    guard let pointer else {
      if code != 0 { countReset() }
      return
    }
    // Retained here: the delegate drops the list's reference.
    let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
    // A peer may reset with NO_ERROR too; only a stream that was answered ends that way by itself.
    if code != 0 || !stream.sentEnd, !stream.isResetByCore { countReset() }
    if stream.unconsumed > 0 { consumeConnection(stream.unconsumed) }
    delegate.streamClosed(stream, code: code)
  }

  private func countReset() {
    // Not fatal inside of this callback, which has other callers than `mem_recv`; `receive` sees it.
    if role == .server, !guardian.admitsReset() { violation = .enhanceYourCalm }
  }

  fileprivate func readBody(
    _ length: Int, _ flags: UnsafeMutablePointer<UInt32>, _ pointer: UnsafeMutableRawPointer
  ) -> Int {
    withStream(pointer) { stream in
      let available = stream.outbound.count
      if available == 0, !stream.isFinished {
        stream.isDeferred = true
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
      }
      var answer = NGHTTP2_DATA_FLAG_NO_COPY.rawValue
      if available <= length, stream.isFinished {
        answer |= NGHTTP2_DATA_FLAG_EOF.rawValue
        if let trailers = stream.trailers {
          answer |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
          submitTrailers(stream, trailers)
        }
        ended(stream)
      }
      flags.pointee |= answer
      return min(available, length)
    }
  }

  fileprivate func sendData(
    _ header: UnsafePointer<UInt8>, _ length: Int, _ pointer: UnsafeMutableRawPointer
  ) {
    // Set by `produce`, the only caller of `mem_send`.
    let output = output!
    output.append(header, 9)
    withStream(pointer) { $0.take(length, into: output, delegate: delegate) }
  }
}
