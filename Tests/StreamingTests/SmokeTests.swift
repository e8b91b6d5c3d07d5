import Base
import Cryptography
import Storage
import StorageSQLite
import Streaming
import Testing

@Test func `a subscriber gets what was and what comes`() async throws {
  let clock = ManualClock()
  let database = try await SQLiteDatabase.openTemporary(migrations: TopicStore.migrations, clock: clock)
  let hub = TopicHub(database: database, clock: clock, key: .random())
  let topic = Topic("ride", "1")
  for n in 1...3 {
    #expect(try await database.write { try hub.publish(topic, [UInt8(n)], in: $0) } == UInt64(n))
  }
  let subscription = try await hub.subscribe(topic, after: 1)
  try await database.write { _ = try hub.publish(topic, [4], in: $0) }
  var seen: [UInt64] = []
  for _ in 0..<3 { seen.append(try await subscription.next().sequence) }
  #expect(seen == [2, 3, 4])
  await database.close()
}
