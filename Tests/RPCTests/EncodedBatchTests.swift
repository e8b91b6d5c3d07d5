import Base
import Testing

@testable import RPC

/// Messages that are joined for many streams.
struct EncodedBatchTests {
  private func message(_ length: Int) -> EncodedMessage {
    EncodedMessage(RawMessage(Array(repeating: UInt8(truncatingIfNeeded: length), count: length)))
  }

  @Test(arguments: [
    ([], []), ([10], [1]), ([10, 20, 30], [3]), ([60, 20, 25, 5, 200, 1], [2, 2, 1, 1]), ([200, 200], [1, 1]),
  ])
  func `neighbours are joined up to a length`(_ lengths: [Int], _ counts: [Int]) {
    let messages = lengths.map { message($0) }
    let batches = EncodedBatch.join(messages, longest: 100)
    #expect(batches.map(\.count) == counts)
    #expect(batches.flatMap(\.bytes) == messages.flatMap(\.bytes))
    #expect(batches.allSatisfy { $0.bytes.count <= 100 || $0.count == 1 })
  }

  @Test func `by default a batch has batchBytes at most`() {
    let batches = EncodedBatch.join(Array(repeating: message(1 << 10), count: 100))
    #expect(batches.allSatisfy { $0.bytes.count <= RPCLimits.batchBytes })
    #expect(batches.map(\.count) == [15, 15, 15, 15, 15, 15, 10])
  }

  @Test func `a batch arrives as its messages, and counts as such`() async throws {
    let sent = Locked([Int]())
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, context) in
        #expect(responses.sink.offer(EncodedBatch([])) == .queued)
        #expect(responses.sink.offer(EncodedBatch([message(1), message(2), message(3)])) == .queued)
        sent.withLock { $0.append(context.call.progress.counts.messagesSent) }
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    var received: [Int] = []
    while let next = try await call.responses.next() { received.append(next.bytes.count) }
    #expect(received == [1, 2, 3])
    #expect(sent.withLock { $0 } == [3])
  }

  @Test func `a batch is taken whole or not at all`() async throws {
    let taken = Locked(0)
    let fixture = Fixture {
      $0.serverStreaming(TestMethods.download) { (_: RawMessage, responses: ResponseWriter<RawMessage>, _) in
        let batch = EncodedBatch([message(1000), message(2000), message(3000)])
        while responses.sink.offer(batch) == .queued { taken.withLock { $0 += 1 } }
      }
    }
    let call = fixture.channel().serverStreaming(TestMethods.download, RawMessage(), as: RawMessage.self)
    var received: [Int] = []
    while let next = try await call.responses.next() { received.append(next.bytes.count) }
    #expect(taken.withLock { $0 } > 5)
    #expect(received == (0..<taken.withLock { $0 }).flatMap { _ in [1000, 2000, 3000] })
  }
}
