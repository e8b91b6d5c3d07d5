internal import Base
internal import RPC

/// Where the time of a call went.
struct SlowCall: Sendable, Equatable {
  /// From the head to the whole request (or to the start, for a stream of requests), in microseconds as all below.
  var request: Int
  /// In the interceptors: credentials, limits.
  var interceptors: Int
  /// From there to the status.
  var handler: Int
  /// Of the handler's time: waiting for storage.
  var storage: Int
  /// Of the handler's time: waiting for the peer to read, with the queue full.
  var peerReads: Int
  /// Of the handler's time: waiting for the peer's next message.
  var peerWrites: Int
  /// How late the event loop is: the share of the machine, or of another call that blocks the loop.
  var loopLag: Int

  init(_ record: CallRecord, storageNanoseconds: Int64, loopLag: Duration) {
    func time(_ from: Instant?, _ to: Instant?) -> Int {
      guard let from else { return 0 }
      return max(((to ?? record.ended) - from).inMicroseconds, 0)
    }
    request = time(record.began, record.started)
    interceptors = time(record.started, record.handling)
    handler = time(record.handling, record.ended)
    storage = Int(storageNanoseconds / 1000)
    peerReads = Int(record.counts.roomWaitNanoseconds / 1000)
    peerWrites = Int(record.counts.inputWaitNanoseconds / 1000)
    self.loopLag = loopLag.inMicroseconds
  }

  /// The time to judge a call by. What a client takes to send its stream is not the server's; and an answer that is a
  /// stream lasts as long as its reader likes, so there only what somebody waited for counts.
  func judged(_ kind: MethodKind, total: Duration) -> Int {
    switch kind {
    case .unary, .clientStreaming: total.inMicroseconds - peerWrites
    case .serverStreaming, .bidirectional: request + interceptors + storage + peerReads
    }
  }

  func add(to line: inout JSONLine) {
    line.add("request_us", request)
    line.add("interceptors_us", interceptors)
    line.add("handler_us", handler)
    line.add("storage_us", storage)
    line.add("peer_reads_us", peerReads)
    line.add("peer_writes_us", peerWrites)
    line.add("loop_lag_us", loopLag)
  }
}
