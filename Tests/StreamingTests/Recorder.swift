import Base
import Streaming

/// A sink that remembers what it was given.
final class Recorder: TopicSink {
  let seen = Locked<[UInt64]>([])
  let ended = Locked<[TopicError]>([])
  let arrival = ParkingSpot()
  private let room: Int

  init(room: Int = .max) {
    self.room = room
  }

  func receive(_ event: TopicEvent) -> Bool {
    let count = seen.withLock { seen in
      seen.append(event.sequence)
      return seen.count
    }
    arrival.unpark()
    return count < room
  }

  func end(_ error: TopicError) {
    ended.withLock { $0.append(error) }
    arrival.unpark()
  }

  func wait(_ condition: () -> Bool) async throws {
    while !condition() { try await arrival.park() }
  }
}
