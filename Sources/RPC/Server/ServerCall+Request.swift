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
    gathered += bytes.count
    guard server.gathered.add(bytes.count, ordering: .relaxed).newValue <= server.limits.gatheredBytes else {
      return end(failing: RPCError(.resourceExhausted, "too many requests are unfinished").retryAfter(.seconds(1)))
    }
    deframer.append(bytes)
    do {
      if request == nil, case .message(let payload) = try takePayload() { request = payload }
      if request != nil, deframer.unreadCount > 0 {
        throw RPCError(.internal, "the method takes one request, and more have come")
      }
    } catch {
      end(failing: server.status(for: error, of: self))
    }
  }

  /// The request has ended: handles it if it is whole.
  func startWithRequest() {
    guard !state.hasEnded else { return }
    if request != nil { return start() }
    let isTruncated = deframer.unreadCount > 0
    end(
      failing: isTruncated
        ? FramingError.truncated.rpcError : RPCError(.internal, "the method takes one request, and none has come"))
  }
}
