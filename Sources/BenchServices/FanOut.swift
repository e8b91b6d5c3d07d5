internal import Base
internal import RPC

/// Sends messages to all streams that are open. It visits each executor once for all messages that were published since
/// its last visit, however many streams live there, and all of them share the messages' bytes.
///
/// A stream that has more queued than it may misses a message; one that has ended is forgotten with the next message.
/// Safe to use from any thread.
final class FanOut: Sendable {
  /// The streams of one executor.
  private final class Room: Sendable {
    private struct State {
      /// What was published since the last visit, and its length.
      var waiting: [EncodedMessage] = []
      var waitingBytes = 0
    }

    private let executor: any CallExecutor
    private let sinks = Locked<[ResponseSink]>([])
    /// Apart from the sinks, so that no publisher waits for a delivery.
    private let state = Locked(State())

    init(_ executor: any CallExecutor) {
      self.executor = executor
    }

    func add(_ sink: ResponseSink) {
      sinks.withLock { $0.append(sink) }
    }

    func publish(_ message: EncodedMessage) {
      let isFirst = state.withLock { state in
        // Of more than a stream may have queued all would miss the rest.
        guard state.waitingBytes <= StreamWaterMarks.high else { return false }
        state.waiting.append(message)
        state.waitingBytes += message.bytes.count
        return state.waiting.count == 1
      }
      if isFirst { executor.execute { self.deliver() } }
    }

    /// On the executor only.
    private func deliver() {
      let messages = state.withLock { state in
        defer { state = State() }
        return state.waiting
      }
      let batches = EncodedBatch.join(messages)
      sinks.withLock { sinks in
        sinks.removeAll { sink in batches.contains { sink.offer($0) == .ended } }
      }
    }
  }

  /// By the executor's number.
  private let rooms = Locked<[Int: Room]>([:])

  func add(_ sink: ResponseSink) {
    let executor = sink.executor
    let room = rooms.withLock { rooms in
      if let room = rooms[executor.number] { return room }
      let room = Room(executor)
      rooms[executor.number] = room
      return room
    }
    room.add(sink)
  }

  func publish(_ message: EncodedMessage) {
    let rooms = rooms.withLock { Array($0.values) }
    for room in rooms { room.publish(message) }
  }
}
