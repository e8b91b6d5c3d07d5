internal import Synchronization

extension ServerCall {
  /// Takes bytes of a request that is one message. Their window is given back at once: the limits of a message and of
  /// all that is gathered bound what can come.
  func gather(_ bytes: Span<UInt8>) {
    returnWindow(bytes.count)
    guard !state.hasEnded else { return }
    counts.bytesReceived += bytes.count
    if request == nil, let message = deframer.soleMessage(in: bytes) {
      counts.messagesReceived += 1
      keepRequest(bytes, message)
      return
    }
    deframer.append(bytes)
    do {
      try countGathered(bytes.count)
      if request == nil, let frame = try deframer.next() {
        request = deframer.buffer[frame.payload]
        counts.messagesReceived += 1
        if frame.isCompressed { compressedRequest = frame }
      }
      if request != nil, deframer.unreadCount > 0 {
        throw RPCError.wrongCardinality("the method takes one request, and more have come")
      }
    } catch {
      end(failing: server.status(for: error, of: self))
    }
  }

  /// Counts bytes that this call holds, or no longer holds, in the sum of all calls.
  /// - Throws: if there are more now and the sum is beyond its limit.
  func countGathered(_ count: Int) throws(RPCError) {
    guard !state.hasEnded else { return }
    gathered += count
    let sum = server.gathered.add(count, ordering: .relaxed).newValue
    guard count <= 0 || sum <= server.limits.gatheredBytes else {
      throw RPCError(.resourceExhausted, "too many requests are unfinished").retryAfter(RPCLimits.retryDelay)
    }
  }

  /// Not before the handler wants it: until then a client could hold many times what it has sent.
  func decompressRequest(_ frame: MessageDeframer.Frame) throws {
    guard var payload = request else { return }
    try decompress(&payload, frame)
    try countGathered(payload.count)
    request = payload
    // What came is of no use any more.
    deframer = MessageDeframer(limit: deframer.limit)
  }

  /// Handles a request that comes whole where it lies, if its handler does not wait.
  /// - Returns: false if it is not such a one and was not touched.
  func startAtOnce(_ bytes: Span<UInt8>) -> Bool {
    guard case .synchronous(let handler) = route.handler, request == nil, !state.hasEnded,
      let message = deframer.soleMessage(in: bytes)
    else { return false }
    returnWindow(bytes.count)
    counts.bytesReceived += bytes.count
    counts.messagesReceived += 1
    start(bytes, message, handler)
    return true
  }

  /// Copies the request out of bytes on loan. A short one is too little to be counted.
  /// - Returns: false if that is beyond the limit, and the call has ended.
  @discardableResult
  func keepRequest(_ bytes: Span<UInt8>, _ message: Range<Int>) -> Bool {
    if bytes.count > RPCLimits.uncountedRequestBytes {
      do throws(RPCError) {
        try countGathered(bytes.count)
      } catch {
        end(failing: error)
        return false
      }
    }
    request = Array(copying: bytes)[message]
    return true
  }

  /// The request has ended: handles it if it is whole.
  func startWithRequest() {
    guard !state.hasEnded else { return }
    if request != nil { return start() }
    let isTruncated = deframer.unreadCount > 0
    end(
      failing: isTruncated
        ? FramingError.truncated.rpcError
        : RPCError.wrongCardinality("the method takes one request, and none has come"))
  }
}
