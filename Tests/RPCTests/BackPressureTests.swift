import Base
import ProtobufRuntime
import RPC
import Testing

struct BackPressureTests {
  private static let message = RawMessage(Array(repeating: 1, count: 1000))
  /// What a stream holds at most on its way: the queue's high-water mark, the window, and a message beyond.
  private static let mostInFlight = (StreamWaterMarks.high + (64 << 10)) / 1000 + 2

  @Test func aWriterWaitsForAReaderThatDoesNotRead() async throws {
    let written = Locked(0)
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        for _ in 0..<1000 {
          try await responses.write(Self.message)
          written.withLock { $0 += 1 }
        }
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    _ = try await call.initialMetadata
    await fixture.executor.settle()
    let inFlight = written.withLock { $0 }
    #expect((60...Self.mostInFlight).contains(inFlight))
    var received = 0
    while try await call.responses.next() != nil { received += 1 }
    #expect(received == 1000)
  }

  @Test func aWriterThatOutlivesItsHandlerLearnsOfTheEnd() async {
    let (full, ended) = (Signal(), Signal())
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        Task {
          for count in 1... {
            do { try await responses.write(Self.message) } catch { break }
            if count == 120 { full.fire() }
          }
          ended.fire()
        }
        await full.wait()
      }
    }
    let call = RawExchange(fixture.transport, path: TestMethods.download.path, returnsWindow: false)
    call.send([])
    call.finish()
    await ended.wait()
    call.reset()
    await call.end()
  }

  @Test(arguments: [TestMethods.unary.path, TestMethods.chat.path])
  func unfinishedMessagesTogetherAreBounded(_ path: String) async {
    let fixture = Fixture(limits: RPCLimits(gatheredBytes: 10_000)) { $0.echo() }
    let prefix: [UInt8] = [0, 0, 0, 0x13, 0x88]  // 5000 bytes to come
    let piece = [UInt8](repeating: 1, count: 4000)
    func begin() -> RawExchange {
      let call = RawExchange(fixture.transport, path: path)
      call.write(prefix + piece)
      return call
    }
    let (first, second) = (begin(), begin())
    await fixture.executor.settle()
    let third = begin()
    // What comes after the refusal is of no interest.
    third.write([UInt8](repeating: 1, count: 1000))
    third.finish()
    #expect(await third.end().grpcStatus == "8")
    second.reset()
    await second.end()
    for call in [first, begin()] {
      call.write([UInt8](repeating: 1, count: 1000))
      call.finish()
      #expect(await call.end().grpcStatus == "0")
    }
    let last = begin()
    last.reset()
    await last.end()
  }

  @Test func aStreamHoldsNothingOfTheSumOnceItsMessagesAreWhole() async throws {
    let fixture = Fixture(limits: RPCLimits(gatheredBytes: 20_000)) { $0.echo() }
    let calls: [BidirectionalCall<RawMessage, RawMessage>] = (0..<20).map { _ in
      fixture.channel().bidirectional(TestMethods.chat)
    }
    // Each comes in several frames, and all calls stay open.
    let message = RawMessage(Array(repeating: 1, count: 20_000))
    for _ in 0..<3 {
      for call in calls {
        try await call.requests.write(message)
        #expect(try await call.responses.next() == message)
      }
    }
    for call in calls {
      call.requests.finish()
      #expect(try await call.responses.next() == nil)
    }
  }

  @Test func aClientWaitsForAHandlerThatDoesNotRead() async throws {
    let (go, full) = (Signal(), Signal())
    let written = Locked(0)
    let fixture = Fixture {
      $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, _) in
        await go.wait()
        var count = 0
        while try await requests.next() != nil { count += 1 }
        return RawMessage(Array("\(count)".utf8))
      }
    }
    let call: ClientStreamingCall<RawMessage, RawMessage> = fixture.channel().clientStreaming(TestMethods.upload)
    let writer = Task {
      for _ in 0..<1000 {
        try await call.requests.write(Self.message)
        if written.withLock({
          $0 += 1
          return $0
        }) == 120 {
          full.fire()
        }
      }
      call.requests.finish()
    }
    await full.wait()
    await fixture.executor.settle()
    #expect(written.withLock { $0 } <= Self.mostInFlight)
    go.fire()
    try await writer.value
    #expect(try await call.response().bytes == Array("1000".utf8))
  }

  @Test func aSinkSaysWhenItIsFullAndWhenItHasDrained() async throws {
    let outcomes = Locked([ResponseSink.Outcome]())
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, context) in
        let sink = responses.sink
        let event = EncodedMessage(Self.message)
        let drained = Signal()
        sink.onDrained { drained.fire() }
        var count = 0
        while sink.offer(event) == .queued { count += 1 }
        #expect(count > 60)
        await drained.wait()
        outcomes.withLock { $0.append(sink.offer(event)) }
        sink.executor.schedule(after: .seconds(1)) { outcomes.withLock { $0.append(sink.offer(event)) } }.cancel()
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    var received = 0
    while try await call.responses.next() != nil { received += 1 }
    #expect(received > 60)
    #expect(outcomes.withLock { $0 } == [.queued])
  }

  @Test func aSinkOutlivesItsCall() async throws {
    let sinks = Locked([ResponseSink]())
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        sinks.withLock { $0.append(responses.sink) }
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    #expect(try await call.responses.next() == nil)
    let sink = try #require(sinks.withLock { $0.first })
    let outcome = await withCheckedContinuation { continuation in
      sink.executor.execute { continuation.resume(returning: sink.offer(EncodedMessage(Self.message))) }
    }
    #expect(outcome == .ended)
  }
}
