/// One try of a call with a `RetryingStream`: a stream of the transport, and what becomes of it.
final class Attempt: ClientStreamHandler, @unchecked Sendable {
  // Unchecked because the compiler cannot see that it is confined to the executor of the call.

  /// Nil when the call has no more interest. Otherwise a cycle, until the stream closes.
  private var owner: RetryingStream?
  /// How many attempts came before.
  let number: Int
  var stream: (any ClientStream)?
  /// Ends an attempt that gets no answer.
  private var timer: (any ScheduledWork)?

  init(_ owner: RetryingStream, number: Int) {
    self.owner = owner
    self.number = number
  }

  func write(_ bytes: [UInt8]) { stream?.write(bytes) }
  func finish() { stream?.finish() }
  func reset(_ code: ResetCode) { stream?.reset(code) }
  func consumed(_ count: Int) { stream?.consumed(count) }
  var queuedBytes: Int { stream?.queuedBytes ?? 0 }
  var hasRoom: Bool { stream?.hasRoom ?? true }

  /// Calls `timedOut` unless an answer begins, or the attempt ends, within this time.
  func expectAnswer(within limit: Duration, on executor: any CallExecutor, timedOut: @escaping @Sendable () -> Void) {
    timer = executor.schedule(after: limit, timedOut)
  }

  /// Ends the attempt; nothing of it reaches the call any more.
  func abandon(_ code: ResetCode) {
    stopTimer()
    owner = nil
    stream?.reset(code)
  }

  private func stopTimer() {
    timer?.cancel()
    timer = nil
  }

  // MARK: ClientStreamHandler

  func receiveHead(status: Int, headers: HeaderList, endStream: Bool) {
    stopTimer()
    owner?.receivedHead(self, status, headers, endStream: endStream)
  }

  func receive(_ bytes: Span<UInt8>) {
    if let owner { owner.received(self, bytes) } else { stream?.consumed(bytes.count) }
  }

  func receiveEnd(trailers: HeaderList) { owner?.receivedEnd(self, trailers) }
  func drained() { owner?.drained() }

  func closed(_ reason: StreamClosure?) {
    stopTimer()
    let owner = owner
    self.owner = nil
    stream = nil
    owner?.closed(self, reason)
  }
}

/// What a call has sent and may have to send again. The arrays are shared with the streams, not copied.
struct RetryBuffer {
  private(set) var messages: [[UInt8]] = []
  private(set) var bytes = 0
  private let budget: RetryBufferBudget
  /// What is taken from the channel's budget.
  private var taken = 0

  init(budget: RetryBufferBudget) {
    self.budget = budget
  }

  /// - Returns: false if the message is too much for the call or for the channel; it is not kept then.
  mutating func append(_ message: [UInt8]) -> Bool {
    guard bytes + message.count <= RPCLimits.retryBufferBytesPerCall, budget.take(message.count) else { return false }
    taken += message.count
    appendBeyondLimit(message)
    return true
  }

  /// Keeps a message that is sent once more in any case.
  mutating func appendBeyondLimit(_ message: [UInt8]) {
    messages.append(message)
    bytes += message.count
  }

  mutating func release() {
    messages = []
    bytes = 0
    budget.giveBack(taken)
    taken = 0
  }
}
