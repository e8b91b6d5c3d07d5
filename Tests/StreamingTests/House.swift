import Base
import Cryptography
import PostgreSQLServer
import Storage
import Streaming
import Testing

/// A hub on a database of its own.
struct House {
  let database: any Database
  let hub: TopicHub
  let clock: ManualClock
  let topic = Topic("ride", "1")

  static func with(limits: TopicLimits = TopicLimits(), _ body: (House) async throws -> Void) async throws {
    let clock = ManualClock()
    let notes = Migration("notes", 1, "notes", sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY);")
    let database = try await EngineUnderTest.openTemporary(migrations: TopicStore.migrations + [notes], clock: clock)
    let key = SecretKey([UInt8](repeating: 7, count: SecretKey.standardLength))
    let hub = TopicHub(database: database, clock: clock, key: key, limits: limits)
    do {
      try await body(House(database: database, hub: hub, clock: clock))
    } catch {
      await database.close()
      throw error
    }
    await database.close()
  }

  /// Publishes the numbers, one transaction each; an event's payload is its number.
  func publish(_ numbers: ClosedRange<Int>) async throws {
    for number in numbers {
      try await database.write { try hub.publish(topic, [UInt8(truncatingIfNeeded: number)], in: $0) }
    }
  }

  func take(_ count: Int, _ subscription: TopicSubscription) async throws -> [UInt64] {
    var taken: [UInt64] = []
    while taken.count < count { taken.append(try await subscription.next().sequence) }
    return taken
  }
}

/// The error that `body` throws, as a `TopicError`; anything else is a failure of the test.
func topicError<Result>(
  _ body: () async throws -> Result, sourceLocation: SourceLocation = #_sourceLocation
) async -> TopicError? {
  do {
    _ = try await body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let error as TopicError {
    return error
  } catch {
    Issue.record("\(error) was thrown", sourceLocation: sourceLocation)
  }
  return nil
}
