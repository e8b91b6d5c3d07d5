import Base
import ProtobufRuntime
import RPC
import Testing

struct CancellationTests {
  /// A server whose only method waits for input and says when it began and when it was cancelled.
  private func waitingServer(_ began: Signal, _ cancelled: Signal) -> Fixture {
    Fixture {
      $0.bidirectional(TestMethods.chat) { (requests: RequestReader<RawMessage>, _: ResponseWriter<RawMessage>, _) in
        began.fire()
        do {
          while try await requests.next() != nil {}
        } catch {
          #expect(error is CancellationError)
          #expect(Task.isCancelled)
          cancelled.fire()
          throw error
        }
      }
    }
  }

  @Test func aResetReachesTheHandlerAtOnce() async {
    let (began, cancelled) = (Signal(), Signal())
    let fixture = waitingServer(began, cancelled)
    let call = RawExchange(fixture.transport, path: TestMethods.chat.path)
    await began.wait()
    call.reset()
    await cancelled.wait()
  }

  @Test func cancellingTheCallReachesTheHandler() async {
    let (began, cancelled) = (Signal(), Signal())
    let fixture = waitingServer(began, cancelled)
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    await began.wait()
    call.cancel()
    await cancelled.wait()
    #expect(await rpcError { try await call.responses.next() }?.code == .cancelled)
  }

  @Test func cancellingTheCallersTaskReachesTheHandler() async {
    let (began, cancelled) = (Signal(), Signal())
    let fixture = waitingServer(began, cancelled)
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    let task = Task { await rpcError { try await call.responses.next() } }
    await began.wait()
    task.cancel()
    await cancelled.wait()
    #expect(await task.value?.code == .cancelled)
  }

  @Test func aTaskCancelledBeforehandDoesNotWait() async {
    let never = Signal()
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (request: RawMessage, _) in
        await never.wait()
        return request
      }
    }
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return await rpcError {
        try await fixture.channel().unary(TestMethods.unary, RawMessage(), as: RawMessage.self)
      }
    }
    task.cancel()
    #expect(await task.value?.code == .cancelled)
    never.fire()
  }

  @Test func lettingGoOfACallCancelsIt() async {
    let (began, cancelled) = (Signal(), Signal())
    let fixture = waitingServer(began, cancelled)
    do {
      let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
      await began.wait()
      _ = call.requests
    }
    await cancelled.wait()
  }

  @Test func aWriterThatWaitsForRoomIsCancelled() async {
    let cancelled = Signal()
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        do {
          while true { try await responses.write(RawMessage(Array(repeating: 0, count: 1000))) }
        } catch {
          cancelled.fire()
          throw error
        }
      }
    }
    let call = RawExchange(fixture.transport, path: TestMethods.download.path, returnsWindow: false)
    call.send([])
    call.finish()
    await call.gotHead.wait()
    await fixture.executor.settle()
    call.reset()
    await cancelled.wait()
  }

  @Test func waitUntilCancelledReturnsWhenTheCallEnds() async {
    let (began, ended) = (Signal(), Signal())
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, _: ResponseWriter<RawMessage>, context) in
        began.fire()
        await context.waitUntilCancelled()
        ended.fire()
      }
    }
    let call = RawExchange(fixture.transport, path: TestMethods.download.path)
    call.send([])
    call.finish()
    await began.wait()
    call.reset()
    await ended.wait()
  }

  @Test func aChildTaskThatReadsCanBeCancelledAlone() async throws {
    let fixture = Fixture {
      $0.bidirectional(TestMethods.chat) {
        (requests: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, context) in
        let gaveUp = await withTaskGroup { group in
          group.addTask { (try? await requests.next()) == nil }
          group.cancelAll()
          return await group.next()
        }
        #expect(gaveUp == true)
        context.sendInitialMetadata()
        if let message = try await requests.next() { try await responses.write(message) }
      }
    }
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    _ = try await call.initialMetadata
    try await call.requests.write(RawMessage([3]))
    #expect(try await call.responses.next()?.bytes == [3])
  }
}
