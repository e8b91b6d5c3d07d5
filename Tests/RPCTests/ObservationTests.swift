import Base
import RPC
import Testing

@Suite struct ObservationTests {
  @Test func tellsOfACallItsCountsAndItsStages() async throws {
    let observer = RecordingObserver()
    let fixture = Fixture(observer: observer) { $0.echo() }
    let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage([1, 2, 3]))
    #expect(reply.bytes == [1, 2, 3])
    await fixture.executor.settle()
    let (began, ended) = observer.calls
    #expect(began == [0])
    let call = try #require(ended.first)
    #expect(ended.count == 1)
    #expect(call.number == 0 && call.status == .ok)
    #expect(call.record.counts.bytesReceived == 8 && call.record.counts.bytesSent == 8)
    #expect(call.record.counts.messagesReceived == 1 && call.record.counts.messagesSent == 1)
    #expect(call.record.began == fixture.clock.now())
    #expect(call.record.started == fixture.clock.now() && call.record.handling == fixture.clock.now())
  }

  @Test func countsEveryMessageOfAStreamAndTheWaitForInput() async throws {
    let observer = RecordingObserver()
    let fixture = Fixture(observer: observer) { $0.echo() }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    try await call.requests.write(RawMessage([1]))
    #expect(try await call.responses.next()?.bytes == [1])
    await fixture.executor.settle()
    fixture.clock.advance(by: .seconds(3))
    try await call.requests.write(RawMessage([2, 2]))
    call.requests.finish()
    #expect(try await call.responses.next()?.bytes == [2, 2])
    #expect(try await call.responses.next() == nil)
    await fixture.executor.settle()
    let record = try #require(observer.calls.ended.first).record
    #expect(record.counts.messagesReceived == 2 && record.counts.messagesSent == 2)
    #expect(record.counts.bytesReceived == 13 && record.counts.bytesSent == 13)
    #expect(record.counts.inputWaitNanoseconds == 3_000_000_000)
    #expect(record.duration == .seconds(3))
  }

  @Test func tellsOnceOfACallThatTheClientGivesUp() async throws {
    let observer = RecordingObserver()
    let fixture = Fixture(observer: observer) { $0.echo() }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    try await call.requests.write(RawMessage([1]))
    #expect(try await call.responses.next() != nil)
    call.cancel()
    await fixture.executor.settle()
    #expect(observer.calls.ended.map(\.status) == [.cancelled])
  }

  @Test func tellsOfRequestsThatBecomeNoCall() async throws {
    let observer = RecordingObserver()
    let fixture = Fixture(observer: observer) { $0.echo() }
    let nobody = MethodDescriptor(service: "test.Service", name: "Nobody", kind: .unary)
    _ = await rpcError { try await fixture.channel().unary(nobody, RawMessage(), as: RawMessage.self) }
    fixture.server.beginDraining()
    _ = await rpcError { try await fixture.channel().unary(TestMethods.unary, RawMessage(), as: RawMessage.self) }
    #expect(observer.refusals.map(\.number) == [nil, 0])
    #expect(observer.refusals.map(\.status) == [.unimplemented, .unavailable])
    #expect(observer.calls.began.isEmpty && observer.calls.ended.isEmpty)
  }

  @Test func aClientsObserverAddsMetadataAndHearsTheEnd() async throws {
    let fixture = Fixture { registry in
      registry.unary(TestMethods.unary) { (_: RawMessage, context) in
        RawMessage(Array((context.metadata["x-trace"] ?? "").utf8))
      }
    }
    let observer = MarkingClientObserver()
    let channel = RPCChannel(
      transport: fixture.transport, authority: "test", observer: observer, clock: fixture.clock)
    let reply: RawMessage = try await channel.unary(TestMethods.unary, RawMessage([1, 2]))
    #expect(reply.bytes == Array("mark".utf8))
    await fixture.executor.settle()
    let ended = try #require(observer.ended.withLock { $0 }.first)
    #expect(ended.0 == .ok)
    #expect(ended.1.bytesSent == 7 && ended.1.messagesSent == 1)
    #expect(ended.1.bytesReceived == 9 && ended.1.messagesReceived == 1)
  }
}

/// Keeps what it hears.
private final class RecordingObserver: CallObserver {
  struct Ended {
    var number: Int
    var status: StatusCode
    var record: CallRecord
  }

  private let state = Locked((began: [Int](), ended: [Ended](), refused: [(number: Int?, status: StatusCode)]()))

  var calls: (began: [Int], ended: [Ended]) { state.withLock { ($0.began, $0.ended) } }
  var refusals: [(number: Int?, status: StatusCode)] { state.withLock { $0.refused } }

  var wantsStages: Bool { true }
  func began(_ call: ServerContext) {
    state.withLock { $0.began.append(call.methodNumber) }
  }
  func ended(_ call: ServerContext, _ status: StatusCode, _ record: CallRecord) {
    state.withLock { $0.ended.append(Ended(number: call.methodNumber, status: status, record: record)) }
  }
  func refused(_ head: RequestHead, methodNumber: Int?, _ status: StatusCode, peer: PeerInfo) {
    state.withLock { $0.refused.append((methodNumber, status)) }
  }
}

private final class MarkingClientObserver: ClientCallObserver {
  let ended = Locked([(StatusCode, CallCounts)]())

  func began(_ method: MethodDescriptor, _ options: inout CallOptions) -> (any ClientCallObservation)? {
    try? options.metadata.add("x-trace", "mark")
    return Observation(self)
  }

  private final class Observation: ClientCallObservation {
    let observer: MarkingClientObserver
    init(_ observer: MarkingClientObserver) { self.observer = observer }
    func ended(_ status: StatusCode, _ counts: CallCounts) {
      observer.ended.withLock { $0.append((status, counts)) }
    }
  }
}
