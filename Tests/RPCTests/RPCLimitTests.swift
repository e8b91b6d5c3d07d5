import Base
import GoogleRPC
import ProtobufRuntime
import Testing

@testable import RPC

/// The core's limits that nobody sets, to the last that they allow and one more.
struct RPCLimitTests {
  // MARK: Statuses

  @Test func `a status message is sent up to its limit and cut beyond`() {
    let limit = RPCLimits.statusMessageBytes
    for (length, sent) in [(limit, limit), (limit + 1, limit)] {
      let trailers = StatusHeaders.failure(RPCError(.internal, String(repeating: "m", count: length)))
      #expect(trailers.first("grpc-message")?.utf8.count == sent)
    }
  }

  @Test func `violations are sent as long as their texts are within the limit`() {
    let violation = FieldViolation(field: "f", description: String(repeating: "d", count: 31))
    let most = RPCLimits.violationsBytes / 32
    for (count, sent) in [(most, most), (most + 1, most)] {
      let error = RPCError(.invalidArgument, "m").violations(Array(repeating: violation, count: count))
      #expect(error.detail(BadRequest.self)?.fieldViolations.count == sent)
    }
  }

  @Test func `a text names the first violations, and the details all of them`() {
    let count = RPCLimits.violationsInMessage + 1
    let error = RPCError.invalid((0..<count).map { FieldViolation(field: "f\($0)", description: "bad") })
    #expect(error.message.split(separator: ";").count == RPCLimits.violationsInMessage)
    #expect(error.detail(BadRequest.self)?.fieldViolations.count == count)
  }

  // MARK: Load

  @Test func `a queue stands after a whole interval and no sooner`() {
    let interval = RPCLimits.queueDelayInterval.inNanoseconds
    let delay = QueueDelay { 0 }
    // One batch opens the first interval.
    delay.batchBegan(at: 1, after: 0)
    delay.batchBegan(at: interval / 2, after: 7)
    delay.batchBegan(at: interval, after: 7)
    #expect(delay.standingDelay == .zero)
    delay.batchBegan(at: interval + 1, after: 7)
    #expect(delay.standingDelay == .nanoseconds(7))
  }

  /// A method whose handler says nothing.
  private static func route(_ method: MethodDescriptor) -> ServiceRegistry.Route {
    ServiceRegistry.Route(method, .single { _, _ in nil }, number: 0)
  }

  @Test func `who is refused for load is asked to stay away for once to three times the delay`() throws {
    let interval = RPCLimits.queueDelayInterval.inNanoseconds
    let delay = QueueDelay { 3 * interval }
    let executor = ManualTimerExecutor(queueDelay: delay)
    let shedder = LoadShedder(target: .nanoseconds(1), random: SeededRandomSource(seed: 1))
    let route = Self.route(TestMethods.unary)
    #expect(shedder.refusal(of: route, on: executor) == nil)
    for batch in 0...3 as ClosedRange<Int64> { delay.batchBegan(at: batch * interval, after: interval) }
    let delays = try (0..<100).map { _ in
      try #require(shedder.refusal(of: route, on: executor)?.retryDelay)
    }
    let base = RPCLimits.shedRetryDelay
    #expect(delays.allSatisfy { $0 >= base && $0 < base * 3 })
    #expect(Set(delays).count > 50, "those who were refused together must not come back together")
  }

  @Test func `callers are remembered up to a number`() {
    let limiter = RateLimiter(limits: RateLimits(standard: Rate(perSecond: 1, burst: 1)), clock: ManualClock())
    func isRefused(_ name: String) -> Bool { limiter.admit(.name(name), .standard) != nil }
    #expect(!isRefused("first"))
    #expect(isRefused("first"))
    // The last used half is sure to be known, and after twice as many as there is room for nothing is left.
    let early = (1..<RPCLimits.rateLimitedCallers / 2).count { isRefused("\($0)") }
    #expect(isRefused("first"))
    let late = (0..<RPCLimits.rateLimitedCallers).count { isRefused("late \($0)") }
    #expect(early == 0 && late == 0)
    #expect(!isRefused("first"))
  }

  @Test(
    arguments: [
      (.low, 1), (.normal, RPCLimits.normalPatience), (.high, RPCLimits.highPatience),
    ] as [(MethodPolicy.Priority, Int64)])
  func `a call may have waited so many times the target, by its priority`(
    _ priority: MethodPolicy.Priority, _ patience: Int64
  ) {
    let (interval, target) = (RPCLimits.queueDelayInterval.inNanoseconds, 1_000_000 as Int64)
    var policy = MethodPolicy()
    policy.priority = priority
    let route = Self.route(MethodDescriptor(service: "test.Load", name: "Unary", kind: .unary, policy: policy))
    for (wait, isRefused) in [(patience * target, false), (patience * target + 1, true)] {
      let now = Locked<Int64>(0)
      let delay = QueueDelay { now.withLock { $0 } }
      let executor = ManualTimerExecutor(queueDelay: delay)
      let shedder = LoadShedder(target: .nanoseconds(target), random: SeededRandomSource(seed: 1))
      #expect(shedder.refusal(of: route, on: executor) == nil)
      // A standing queue, above the target whatever the wait of this call is.
      for batch in 0...3 as ClosedRange<Int64> { delay.batchBegan(at: batch * interval, after: 100 * target) }
      delay.batchBegan(at: 3 * interval + 1, after: wait)
      now.withLock { $0 = 3 * interval + 1 }
      #expect((shedder.refusal(of: route, on: executor) != nil) == isRefused)
    }
  }

  @Test(
    arguments: [
      (.standard, RPCLimits.standardRate), (.expensive, RPCLimits.expensiveRate), (.telemetry, RPCLimits.telemetryRate),
    ] as [(MethodPolicy.RateClass, Rate)])
  func `a caller has the rate of the class, if nothing else is said`(
    _ rateClass: MethodPolicy.RateClass, _ rate: Rate
  ) {
    let clock = ManualClock()
    let limiter = RateLimiter(limits: RateLimits(), clock: clock)
    func admitted(_ count: Int64) -> Int64 {
      Int64((0..<count).count { _ in limiter.admit(.name("x"), rateClass) == nil })
    }
    #expect(admitted(rate.burst + 10) == rate.burst)
    clock.advance(by: .seconds(1))
    #expect(admitted(rate.burst) == rate.perSecond)
  }

  // MARK: Retries

  @Test func `a channel may have so many tokens for retries`() throws {
    func config(_ tokens: Int) throws -> ServiceConfig {
      try ServiceConfig(json: #"{"retryThrottling": {"maxTokens": \#(tokens), "tokenRatio": 1}}"#)
    }
    #expect(try config(RPCLimits.retryTokens).retryThrottling?.maxTokens == RPCLimits.retryTokens)
    #expect(throws: ServiceConfigError.self) { try config(RPCLimits.retryTokens + 1) }
  }

  @Test func `a call keeps so much of its request`() {
    var buffer = RetryBuffer(budget: RetryBufferBudget(limit: .max))
    let fits = buffer.append([UInt8](repeating: 0, count: RPCLimits.retryBufferBytesPerCall))
    let isMore = buffer.append([0])
    #expect(fits && !isMore)
    #expect(buffer.bytes == RPCLimits.retryBufferBytesPerCall)
  }

  @Test func `a request is kept to be sent once more, up to the same length`() {
    let most = RPCLimits.retryBufferBytesPerCall
    for (length, isKept) in [(most, true), (most + 1, false)] {
      var replay = Replay()
      replay.sent([UInt8](repeating: 7, count: length), budget: RetryBufferBudget(limit: .max))
      #expect((replay.take() != nil) == isKept)
    }
  }

  @Test func `the calls of a channel keep so much together, and give it back`() {
    let budget = ScriptedFixture(nil) { _, _ in }.channel.retryBuffers
    let perCall = RPCLimits.retryBufferBytesPerCall
    var buffers: [RetryBuffer] = []
    for _ in 0..<RPCLimits.retryBufferBytesPerChannel / perCall {
      var buffer = RetryBuffer(budget: budget)
      let fits = buffer.append([UInt8](repeating: 0, count: perCall))
      #expect(fits)
      buffers.append(buffer)
    }
    var further = RetryBuffer(budget: budget)
    let isMore = further.append([0])
    #expect(!isMore)
    buffers[0].release()
    let fitsNow = further.append([0])
    #expect(fitsNow)
  }

  // MARK: Buffers

  @Test func `within the process so much of a stream is on its way, in pieces of so much`() {
    var pipe = InProcessPipe()
    pipe.write([UInt8](repeating: 7, count: 2 * RPCLimits.inProcessWindow))
    var pieces: [Int] = []
    while let piece = pipe.take() { pieces.append(piece.count) }
    #expect(pieces.reduce(0, +) == RPCLimits.inProcessWindow)
    #expect(pieces.allSatisfy { $0 == RPCLimits.inProcessFrame })
  }

  /// A deframer out of which one message of this length has been taken.
  private func emptied(_ count: Int) throws -> MessageDeframer {
    var deframer = MessageDeframer(limit: 4 << 20)
    let prefix = [0] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) }
    deframer.append((prefix + [UInt8](repeating: 7, count: count)).span)
    #expect(try deframer.next()?.payload.count == count)
    return deframer
  }

  @Test func `a receive buffer of usual size is kept, and a greater one freed`() throws {
    for (length, isKept) in [(RPCLimits.retainedBufferBytes / 2, true), (RPCLimits.retainedBufferBytes, false)] {
      var deframer = try emptied(length)
      deframer.append([0].span)
      #expect((deframer.buffer.capacity >= length) == isKept)
      #expect(deframer.unreadCount == 1)
    }
  }

  @Test func `a reader that waits holds an empty buffer up to idleBufferBytes, and frees a greater one`() async throws {
    let calls = Locked([ServerCall]())
    let fixture = Fixture {
      $0.bidirectional(TestMethods.chat) {
        (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, context) in
        calls.withLock { $0.append(context.call) }
        while try await requests.next() != nil { try await responses.write(RawMessage()) }
      }
    }
    for (length, isKept) in [(RPCLimits.idleBufferBytes / 2, true), (RPCLimits.idleBufferBytes, false)] {
      let chat: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
      try await chat.requests.write(RawMessage(Array(repeating: 1, count: length)))
      #expect(try await chat.responses.next() != nil)
      await fixture.executor.settle()
      let call = try #require(calls.withLock { $0.last })
      let capacity = await fixture.executor.value { call.deframer.buffer.capacity }
      #expect((capacity >= length) == isKept && (isKept || capacity == 0), "\(capacity)")
      chat.requests.finish()
      #expect(try await chat.responses.next() == nil)
    }
  }

  /// One end of a call that notes the window that it gives back.
  private final class Receiver: CallStream, @unchecked Sendable {
    // Unchecked for the reason of its superclass.
    var returned: [Int] = []

    override func returnWindow(_ count: Int) { returned.append(count) }
    override var waitingSince: Instant? { nil }
  }

  @Test func `window of messages that were read is given back in pieces of windowReturnBytes, and the rest at the end`()
    async
  {
    let executor = ManualTimerExecutor()
    let length = 1000
    let message = [0, 0, 0, 3, 0xe3] + [UInt8](repeating: 7, count: length - 5)
    let perPiece = (RPCLimits.windowReturnBytes + length - 1) / length
    let returned = await executor.value {
      let receiver = Receiver(executor: executor, messageBytes: 1 << 20)
      for _ in 0..<(3 * perPiece + 2) { receiver.buffer(message.span) }
      #expect(receiver.returned == [])
      while case .message = try? receiver.takePayload() {}
      return receiver.returned
    }
    #expect(returned == Array(repeating: perPiece * length, count: 3) + [2 * length])
  }

  @Test func `messages shorter than this are not compressed`() {
    for (length, isCompressed) in [
      (RPCLimits.compressedFromBytes - 1, false), (RPCLimits.compressedFromBytes, true),
    ] {
      let message = [0, 0, 0, 0, UInt8(length - 5)] + [UInt8](repeating: 7, count: length - 5)
      #expect(MessageCompression.compress(message)[0] == (isCompressed ? 1 : 0))
    }
  }
}
