internal import Base
internal import RPC

/// Sends messages to all streams that are open. It visits each executor once for a message, however many streams live
/// there, and all of them share the message's bytes.
///
/// A stream that has more queued than it may misses a message; one that has ended is forgotten with the next message.
/// Safe to use from any thread.
final class FanOut: Sendable {
  /// The streams of one executor.
  private final class Room: Sendable {
    let executor: any CallExecutor
    private let sinks = Locked<[ResponseSink]>([])

    init(_ executor: any CallExecutor) {
      self.executor = executor
    }

    func add(_ sink: ResponseSink) {
      sinks.withLock { $0.append(sink) }
    }

    /// On the executor only.
    func offer(_ message: EncodedMessage) {
      sinks.withLock { $0.removeAll { $0.offer(message) == .ended } }
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
    for room in rooms { room.executor.execute { room.offer(message) } }
  }
}
