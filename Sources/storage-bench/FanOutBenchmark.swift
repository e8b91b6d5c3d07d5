import Base
import Cryptography
import Storage
import StorageSQLite
import Streaming

/// How many events per second reach the subscribers of one lossless topic: published durably, delivered to sinks on
/// the committing thread.
struct FanOutBenchmark {
  let path: String
  let subscribers: Int
  let events: Int

  /// Publishers, so that the group commit has batches.
  private static let publishers = 64

  /// Counts what it gets.
  private final class Counter: TopicSink {
    private let count = Locked(0)
    private let goal: Int
    private let isDone: ParkingSpot

    init(goal: Int, isDone: ParkingSpot) {
      self.goal = goal
      self.isDone = isDone
    }

    func receive(_ event: TopicEvent) -> Bool {
      let isLast = count.withLock { count in
        count += 1
        return count == goal
      }
      if isLast { isDone.unpark() }
      return true
    }

    func end(_ error: TopicError) {
      print("ended: \(error)")
    }
  }

  func run() async throws {
    let clock = SystemClock()
    let database = try await SQLiteDatabase.open(path: path, migrations: TopicStore.migrations, clock: clock)
    let hub = TopicHub(database: database, clock: clock, key: .random())
    let topic = Topic("bench", String(clock.now().nanoseconds))
    var held: [(TopicSubscription, ParkingSpot)] = []
    for _ in 0..<subscribers {
      let subscription = try await hub.subscribe(topic, after: 0)
      let isDone = ParkingSpot()
      try await subscription.forward(to: Counter(goal: events, isDone: isDone))
      held.append((subscription, isDone))
    }
    let start = clock.now()
    let remaining = Locked(events)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<Self.publishers {
        group.addTask {
          while remaining.withLock({
            $0 -= 1
            return $0 >= 0
          }) {
            do {
              try await database.write { try hub.publish(topic, [UInt8](repeating: 7, count: 100), in: $0) }
            } catch {
              print("failed: \(error)")
            }
          }
        }
      }
    }
    for (_, isDone) in held { try await isDone.park() }
    let elapsed = Double((clock.now() - start).inNanoseconds) / 1e9
    print(
      "fanout: \(subscribers) subscribers: \(Int(Double(events) / elapsed)) events/s,",
      "\(Int(Double(events * subscribers) / elapsed)) deliveries/s")
    await database.close()
  }
}
