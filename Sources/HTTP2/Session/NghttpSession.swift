internal import CNghttp2
internal import RPC

/// The session engine on nghttp2.
///
/// nghttp2 keeps our pointers in two places: its user data is this object (which frees the session in its deinit, so
/// it outlives it), and a stream's user data is the `HTTP2Stream`, which the connection holds until `streamClosed`.
final class NghttpSession: SessionEngine {
  enum Role {
    case server
    case client
  }

  let role: Role
  // Unsafe because the check of a plain `unowned` is paid at each event: the delegate owns this object, and nghttp2
  // calls only inside of our methods.
  unowned(unsafe) let delegate: any SessionDelegate
  // Not nil after init; set late because nghttp2 wants this object as user data.
  private var session: OpaquePointer!

  // Exclusive access is not checked at run time where it would be for each field or frame: these are values of this
  // file's parts alone, and none of their methods calls out.
  /// The header section that is arriving.
  @exclusivity(unchecked) var block: HeaderBlock
  /// Where DATA goes while `produce` runs.
  var output: OutputBuffer?
  @exclusivity(unchecked) var guardian: FloodGuard
  @exclusivity(unchecked) var streamIDs: StreamIDHistory
  /// Why a callback stopped nghttp2.
  var violation: ResetCode?
  private var hasEnded = false
  var isInsideHeaderBlock = false
  /// Streams whose answer was complete before the request was.
  private var answeredEarly: [Int32] = []

  init(role: Role, limits shared: SharedLimits, memory: SessionMemory, delegate: any SessionDelegate) {
    self.role = role
    let limits = shared.values
    block = HeaderBlock(limits: limits)
    self.delegate = delegate
    guardian = FloodGuard(limits: limits, now: EventLoop.monotonicTime)
    streamIDs = StreamIDHistory(maxRanges: limits.maxSkippedRanges)

    var option: OpaquePointer?
    check(nghttp2_option_new(&option))
    defer { nghttp2_option_del(option) }
    nghttp2_option_set_no_closed_streams(option, 1)
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_max_outbound_ack(option, limits.maxQueuedAcknowledgements)
    nghttp2_option_set_max_continuations(option, limits.maxContinuations)
    // Resets are counted here, ours as well as the peer's.
    nghttp2_option_set_stream_reset_rate_limit(option, UInt64(Int64.max), 0)
    if role == .client {
      nghttp2_option_set_peer_max_concurrent_streams(option, UInt32(HTTP2Limits.assumedConcurrentStreams))
    }
    let user = Unmanaged.passUnretained(self).toOpaque()
    let callbacks = NghttpCallbacks.shared.callbacks
    switch role {
    case .server: check(nghttp2_session_server_new3(&session, callbacks, user, option, &memory.hooks))
    case .client: check(nghttp2_session_client_new3(&session, callbacks, user, option, &memory.hooks))
    }
    submitSettings(limits)
  }

  deinit {
    nghttp2_session_del(session)
  }

  private func submitSettings(_ limits: HTTP2Limits) {
    var entries = [
      entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindow),
      entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.maxHeaderListSize),
    ]
    switch role {
    case .server: entries.append(entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams))
    case .client: entries.append(entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
    }
    check(nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count))
    check(
      nghttp2_session_set_local_window_size(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(clamping: limits.connectionWindow)))
  }

  private func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
    nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value))
  }

  // MARK: Octets

  func receive(_ bytes: UnsafeRawBufferPointer) throws(SessionFailure) {
    let result = nghttp2_session_mem_recv(
      session, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count)
    if let violation {
      _ = endAfterViolation()
      throw SessionFailure(description: "the peer broke the protocol: \(violation)")
    }
    guard result >= 0 else {
      // After the last word the peer is not told again.
      guard !hasEnded else { throw Self.failure(Int32(result)) }
      let isFlood = result == Int(NGHTTP2_ERR_FLOODED.rawValue)
      nghttp2_session_terminate_session(
        session, isFlood ? NGHTTP2_ENHANCE_YOUR_CALM.rawValue : NGHTTP2_PROTOCOL_ERROR.rawValue)
      throw Self.failure(Int32(result))
    }
  }

  func produce(into output: OutputBuffer, limit: Int) throws(SessionFailure) -> Bool {
    self.output = output
    defer { self.output = nil }
    while output.count < limit {
      var chunk: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(session, &chunk)
      guard count >= 0 else { throw Self.failure(Int32(count)) }
      if count > 0, let chunk {
        output.append(chunk, count)
      } else if !endAfterViolation(), !stopEarlyRequests() {
        return false
      }
    }
    return true
  }

  /// Submits the GOAWAY for what a callback found, once. Streams are reset while frames are produced, so one can be
  /// too many there.
  private func endAfterViolation() -> Bool {
    guard let violation, !hasEnded else { return false }
    hasEnded = true
    terminate(violation)
    return true
  }

  /// Tells the peer not to go on with requests that are answered. Only when the answers are out: nghttp2 sends nothing
  /// on a stream once a reset is submitted.
  private func stopEarlyRequests() -> Bool {
    guard !answeredEarly.isEmpty else { return false }
    for id in answeredEarly where nghttp2_session_find_stream(session, id) != nil { reset(id, .noError) }
    answeredEarly.removeAll(keepingCapacity: true)
    return true
  }

  var isFinished: Bool {
    nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
  }

  var queuedFrames: Int { nghttp2_session_get_outbound_queue_size(session) }

  var peerMaxConcurrentStreams: Int {
    Int(nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
  }

  var sendWindow: Int { Int(nghttp2_session_get_remote_window_size(session)) }

  var receiveWindow: Int { Int(nghttp2_session_get_local_window_size(session)) }

  // MARK: Streams

  func open(_ head: RequestHead, _ stream: HTTP2Stream) -> Bool {
    var provider = Self.dataProvider(stream)
    let pseudo: [(StaticString, String)] = [
      (":method", head.method), (":scheme", head.scheme), (":authority", head.authority), (":path", head.path),
    ]
    let id = NameValues.with(pseudo: pseudo, head.headers) { values, count in
      nghttp2_submit_request(session, nil, values, count, &provider, Unmanaged.passUnretained(stream).toOpaque())
    }
    if id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE.rawValue { return false }
    check(min(id, 0))
    stream.id = id
    return true
  }

  func respond(_ stream: HTTP2Stream, status: Int, headers: HeaderList, endStream: Bool) {
    let result = NameValues.with(status: status, headers) { values, count in
      if endStream { return nghttp2_submit_response(session, stream.id, values, count, nil) }
      var provider = Self.dataProvider(stream)
      return nghttp2_submit_response(session, stream.id, values, count, &provider)
    }
    check(result)
    if endStream { ended(stream) }
  }

  func resume(_ stream: HTTP2Stream) {
    // Fails for a stream that is not open yet or any more; both need no resuming.
    nghttp2_session_resume_data(session, stream.id)
  }

  func reset(_ streamID: Int32, _ code: ResetCode) {
    check(nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), streamID, code.rawValue))
  }

  func consume(_ streamID: Int32, _ count: Int) {
    check(nghttp2_session_consume(session, streamID, count))
  }

  func consumeConnection(_ count: Int) {
    check(nghttp2_session_consume_connection(session, count))
  }

  func submitTrailers(_ stream: HTTP2Stream, _ trailers: HeaderList) {
    let result = NameValues.with(trailers) { values, count in
      nghttp2_submit_trailer(session, stream.id, values, count)
    }
    check(result)
  }

  /// The last frame of our direction is queued. A server that has answered before the request was complete does not
  /// want the rest of it (RFC 9113 §8.1).
  func ended(_ stream: HTTP2Stream) {
    stream.sentEnd = true
    if role == .server, !stream.receivedEnd { answeredEarly.append(stream.id) }
  }

  // MARK: Connection

  func ping(_ payload: UInt64) {
    withUnsafeBytes(of: payload.bigEndian) { bytes in
      check(
        nghttp2_submit_ping(
          session, UInt8(NGHTTP2_FLAG_NONE.rawValue), bytes.assumingMemoryBound(to: UInt8.self).baseAddress))
    }
  }

  func announceShutdown() {
    check(nghttp2_submit_shutdown_notice(session))
  }

  func refuseNewStreams() {
    let last = nghttp2_session_get_last_proc_stream_id(session)
    check(
      nghttp2_submit_goaway(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, NGHTTP2_NO_ERROR.rawValue, nil, 0))
  }

  func goAway(_ code: ResetCode, _ why: StaticString) {
    let last = nghttp2_session_get_last_proc_stream_id(session)
    let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
    check(nghttp2_submit_goaway(session, flags, last, code.rawValue, why.utf8Start, why.utf8CodeUnitCount))
    // What the peer breaks after this does not matter any more.
    hasEnded = true
  }

  func setReceiveWindow(stream: Int, connection: Int) {
    let entries = [entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream)]
    let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
    check(nghttp2_submit_settings(session, flags, entries, entries.count))
    check(nghttp2_session_set_local_window_size(session, flags, 0, Int32(clamping: connection)))
  }

  func terminate(_ code: ResetCode) {
    check(nghttp2_session_terminate_session(session, code.rawValue))
  }

  // MARK: Errors

  private static func failure(_ code: Int32) -> SessionFailure {
    SessionFailure(description: String(cString: nghttp2_strerror(code)))
  }

  /// For calls that fail only by a bug of ours or for want of memory.
  private func check(_ code: Int32, line: UInt = #line) {
    precondition(code >= 0, "nghttp2: \(String(cString: nghttp2_strerror(code))) (line \(line))")
  }

  private static func dataProvider(_ stream: HTTP2Stream) -> nghttp2_data_provider {
    nghttp2_data_provider(
      source: nghttp2_data_source(ptr: Unmanaged.passUnretained(stream).toOpaque()),
      read_callback: NghttpCallbacks.readBody)
  }
}
