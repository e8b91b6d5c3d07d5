internal import Synchronization

extension ServerCall {
  /// Takes bytes of a request that is one message. Their window is given back at once: the limits of a message and of
  /// all that is gathered bound what can come.
  func gather(_ bytes: Span<UInt8>) {
    returnWindow(bytes.count)
    guard !state.hasEnded else { return }
    counts.bytesReceived += bytes.count
    if request == nil, let sole = deframer.soleMessage(in: bytes) {
      var copy: [UInt8] = []
      copy.append(copying: bytes)
      request = copy[sole]
      counts.messagesReceived += 1
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
        throw RPCError(.internal, "the method takes one request, and more have come")
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
      throw RPCError(.resourceExhausted, "too many requests are unfinished").retryAfter(.seconds(1))
    }
  }

  /// Not before the request has ended: until then a client could hold many times what it has sent.
  private func decompressRequest(_ frame: MessageDeframer.Frame) throws {
    guard var payload = request else { return }
    try decompress(&payload, frame)
    try countGathered(payload.count)
    request = payload
    // What came is of no use any more.
    deframer = MessageDeframer(limit: deframer.limit)
  }

  /// The request has ended: handles it if it is whole.
  func startWithRequest() {
    guard !state.hasEnded else { return }
    if let compressedRequest {
      do {
        try decompressRequest(compressedRequest)
      } catch {
        return end(failing: server.status(for: error, of: self))
      }
    }
    if request != nil { return start() }
    let isTruncated = deframer.unreadCount > 0
    end(
      failing: isTruncated
        ? FramingError.truncated.rpcError : RPCError(.internal, "the method takes one request, and none has come"))
  }
}
