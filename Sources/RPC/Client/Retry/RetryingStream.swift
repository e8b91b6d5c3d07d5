internal import Base

/// The stream of a call that may take several attempts: by its retry or hedging policy (gRPC's A6), and without a
/// policy's doing when no server has seen the request.
///
/// It keeps what is sent until one attempt is committed: when the head of its answer arrives, when its failure is
/// final, or when the buffers are full. From then on it only passes on. Confined to the call's executor.
final class RetryingStream: ClientStream, @unchecked Sendable {
  // Unchecked because the compiler cannot see the confinement.

  private let policy: AttemptPolicy
  private let throttle: RetryThrottle?
  private let random: any RandomSource
  private let executor: any CallExecutor
  /// Nil once the end is reported.
  private var call: ClientCall?
  private var buffer: RetryBuffer
  /// The attempts under way that may still become the one.
  private var attempts: [Attempt] = []
  private var committed: Attempt?
  /// Waits for the next attempt.
  private var timer: (any ScheduledWork)?
  private var isFinished = false
  /// How many attempts have begun.
  private var begun = 0
  /// Which retry comes next, for the backoff; pushback starts it anew.
  private var nextRetry = 1
  /// No attempts after the next: its request cannot be sent twice.
  private var commitsToNext = false
  /// A server has said that it wants no further attempts.
  private var isPushedBack = false
  private var unseen = TransparentRetries()
  /// Attempts that no server has seen, and that are about to be made again.
  private var resent = 0

  init(_ call: ClientCall, _ policy: AttemptPolicy, _ table: MethodConfigTable, random: any RandomSource) {
    self.call = call
    self.policy = policy
    self.random = random
    executor = call.executor
    throttle = table.throttle
    buffer = RetryBuffer(budget: call.channel.retryBuffers)
  }

  // MARK: From the call

  /// Begins the first attempt.
  func start() {
    begin()
    hedgeLater()
  }

  func write(_ bytes: [UInt8]) {
    if let committed { return committed.write(bytes) }
    if !buffer.append(bytes) {
      if let first = attempts.first {
        commit(first)
        return first.write(bytes)
      }
      // Between two attempts: the next is the last. Writers wait meanwhile, as nothing takes what is queued.
      commitsToNext = true
      buffer.appendBeyondLimit(bytes)
    }
    for attempt in attempts { attempt.write(bytes) }
  }

  func finish() {
    isFinished = true
    if let committed { return committed.finish() }
    for attempt in attempts { attempt.finish() }
  }

  func reset(_ code: ResetCode) {
    if let committed { return committed.reset(code) }
    guard let call else { return }
    self.call = nil
    abandonAll(but: nil, code)
    buffer.release()
    executor.execute { call.closed(.reset(code)) }
  }

  var queuedBytes: Int {
    if let committed { return committed.queuedBytes }
    // The fastest decides: what a slower one has not sent is held in any case.
    return attempts.map(\.queuedBytes).min() ?? buffer.bytes
  }

  var hasRoom: Bool { committed?.hasRoom ?? (queuedBytes <= StreamWaterMarks.high) }

  func consumed(_ count: Int) { committed?.consumed(count) }

  // MARK: Attempts

  /// - Parameter number: that of an attempt which no server has seen, to make it again; nil for the next.
  private func begin(_ number: Int? = nil) {
    guard let call else { return }
    let attempt = Attempt(self, number: number ?? begun)
    if number == nil { begun += 1 }
    guard let stream = call.openAttempt(previous: attempt.number, handler: attempt) else { return }
    attempt.stream = stream
    attempts.append(attempt)
    for bytes in buffer.messages { attempt.write(bytes) }
    if isFinished { attempt.finish() }
    if commitsToNext { commit(attempt) }
    if case .retry(let policy) = policy, let limit = policy.perAttemptReceiveTimeout {
      attempt.expectAnswer(within: limit, on: executor) { self.timedOut(attempt, limit) }
    }
    call.drained()
  }

  private func begin(after delay: Duration) {
    timer?.cancel()
    timer = executor.schedule(after: delay) {
      self.timer = nil
      self.begin()
      self.hedgeLater()
    }
  }

  /// Has the next hedged attempt sent when its time has come, unless the call is decided by then.
  private func hedgeLater() {
    guard case .hedging(let policy) = policy, mayBegin, call != nil else { return }
    timer?.cancel()
    timer = executor.schedule(after: policy.hedgingDelay) {
      self.timer = nil
      guard self.mayBegin else { return }
      self.begin()
      self.hedgeLater()
    }
  }

  private var mayBegin: Bool {
    committed == nil && !isPushedBack && begun < policy.maxAttempts && throttle?.allowsAttempts != false
  }

  /// This attempt is the call's: the others end, and nothing is sent twice from now on.
  private func commit(_ attempt: Attempt) {
    committed = attempt
    abandonAll(but: attempt, .cancel)
    buffer.release()
  }

  private func abandonAll(but chosen: Attempt?, _ code: ResetCode) {
    timer?.cancel()
    timer = nil
    for attempt in attempts where attempt !== chosen { attempt.abandon(code) }
    attempts = []
  }

  // MARK: From the attempts

  /// The head of an answer. One that is a mere failure is perhaps not the last word.
  func receivedHead(_ attempt: Attempt, _ status: Int, _ headers: HeaderList, endStream: Bool) {
    guard let call else { return }
    if committed == nil {
      let failure: StatusCode? =
        if endStream {
          StatusHeaders.code(trailers: headers, httpStatus: status)
        } else {
          ClientCall.isGRPC(status, headers) ? nil : StatusCode(httpStatus: status)
        }
      if let failure, failure != .ok, goesOn(without: attempt, failure, Pushback(headers)) {
        return attempt.abandon(.cancel)
      }
      commit(attempt)
    }
    call.receiveHead(status: status, headers: headers, endStream: endStream)
  }

  func received(_ attempt: Attempt, _ bytes: Span<UInt8>) { call?.receive(bytes) }

  func receivedEnd(_ attempt: Attempt, _ trailers: HeaderList) {
    if committed == nil { commit(attempt) }
    call?.receiveEnd(trailers: trailers)
  }

  func drained() { call?.drained() }

  func closed(_ attempt: Attempt, _ reason: StreamClosure?) {
    guard let call else { return }
    if committed == nil {
      if let reason, unseen.maySendAgain(after: reason) {
        attempts.removeAll { $0 === attempt }
        let number = attempt.number
        // Later: the transport is in the middle of closing.
        resent += 1
        executor.execute {
          self.resent -= 1
          if self.committed == nil { self.begin(number) }
        }
        return
      }
      let isFinal = reason == nil || reason == .shutdown
      if !isFinal, let reason, goesOn(without: attempt, RPCError(reason).code, .none) { return }
      commit(attempt)
    }
    self.call = nil
    call.closed(reason)
  }

  /// An attempt had no answer in the time that it has. That counts as a failure, of no particular status.
  private func timedOut(_ attempt: Attempt, _ limit: Duration) {
    guard let call else { return }
    throttle?.failed()
    if mayBegin {
      attempts.removeAll { $0 === attempt }
      attempt.abandon(.cancel)
      begin(after: wait())
    } else {
      let error = RPCError(.cancelled, "the last attempt had no answer in \(limit)")
      call.over(trailers: HeaderList(), error, reset: .cancel)
    }
  }

  /// Judges a failed attempt.
  /// - Returns: whether others are under way or will come, so that the failure is not the call's.
  private func goesOn(without attempt: Attempt, _ code: StatusCode, _ pushback: Pushback) -> Bool {
    let isExpected =
      switch policy {
      case .retry(let policy): policy.retryableStatusCodes.contains(code)
      case .hedging(let policy): policy.nonFatalStatusCodes.contains(code)
      }
    if isExpected || pushback == .stop { throttle?.failed() }
    if pushback == .stop { isPushedBack = true }
    guard isExpected else { return false }
    attempts.removeAll { $0 === attempt }
    guard mayBegin else { return !attempts.isEmpty || resent > 0 }
    begin(after: pushback.delay ?? wait())
    if pushback.delay != nil { nextRetry = 1 }
    return true
  }

  /// The wait before the next attempt, if the server does not say.
  private func wait() -> Duration {
    guard case .retry(let policy) = policy else { return .zero }
    defer { nextRetry += 1 }
    return random.jittered(policy.backoff(nextRetry))
  }
}

/// What a server says about further attempts, in `grpc-retry-pushback-ms`.
private enum Pushback: Equatable {
  case none
  case after(milliseconds: Int32)
  /// None at all; also if it is malformed.
  case stop

  init(_ headers: HeaderList) {
    guard let text = headers.first("grpc-retry-pushback-ms") else {
      self = .none
      return
    }
    self = Int32(text).flatMap { $0 < 0 ? nil : .after(milliseconds: $0) } ?? .stop
  }

  var delay: Duration? {
    if case .after(let milliseconds) = self { .milliseconds(milliseconds) } else { nil }
  }
}
