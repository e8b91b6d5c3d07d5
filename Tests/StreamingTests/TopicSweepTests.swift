import Base
import Storage
import Testing

@testable import Streaming

@Suite struct TopicSweepTests {
  private static let day: Duration = .seconds(86_400)

  private func sweepAll(_ sweep: TopicSweep, _ house: House) async throws {
    while try await sweep.step(house.database) {}
  }

  private func events(_ house: House, _ topic: Topic) async throws -> [UInt64] {
    try await house.database.read { reader in
      try reader.rows("SELECT sequence FROM octet_topic_events WHERE topic = $1 ORDER BY sequence", topic.name) {
        $0[0]
      }
    }
  }

  @Test func `events age out by kind, in pieces, and tokens of what is gone are too old`() async throws {
    try await House.with { house in
      let sweep = TopicSweep(["ride": TopicRetention(age: .seconds(3600))], clock: house.clock)
      let other = Topic("room", "1")
      try await house.database.write { try house.hub.publish(other, [1], in: $0) }
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      try await house.publish(1...(TopicSweep.batch * 2 + 10))
      _ = try await house.take(3, subscription)
      let token = subscription.lastToken
      house.clock.advance(by: .seconds(3601))
      try await house.publish(1...5)
      try await sweepAll(sweep, house)
      #expect(try await events(house, house.topic).count == 5)
      #expect(try await events(house, other) == [1], "a kind without retention keeps all")
      #expect(await topicError { try await house.hub.resume(house.topic, token: token) } == .resumeTokenTooOld)
      let last = UInt64(TopicSweep.batch * 2 + 15)
      #expect(try await house.take(5, house.hub.subscribe(house.topic, after: last - 5)).last == last)
    }
  }

  @Test func `events go by number, topic by topic, over many pages of topics`() async throws {
    try await House.with { house in
      let sweep = TopicSweep(["ride": TopicRetention(count: 3)], interval: .seconds(60), clock: house.clock)
      let topics = (0..<(TopicSweep.page + 50)).map { Topic("ride", "\($0)") }
      try await house.database.write { writer in
        for topic in topics {
          for n in 0..<7 { try house.hub.publish(topic, [UInt8(n)], in: writer) }
        }
      }
      try await sweepAll(sweep, house)
      for topic in topics { #expect(try await events(house, topic) == [5, 6, 7]) }
      try await house.database.write { try house.hub.publish(topics[0], [8], in: $0) }
      try await sweepAll(sweep, house)
      #expect(try await events(house, topics[0]) == [5, 6, 7, 8], "the next walk has its time")
      house.clock.advance(by: .seconds(60))
      try await sweepAll(sweep, house)
      #expect(try await events(house, topics[0]) == [6, 7, 8])
    }
  }

  @Test func `a topic that ended is removed, and no token of it fits a later one of its name`() async throws {
    try await House.with { house in
      let sweep = TopicSweep([:], ended: Self.day, clock: house.clock)
      try await house.publish(1...300)
      let early = house.hub.tokens.make(house.topic, TopicPosition(sequence: 2, born: 0))
      let (_, last, live) = try await house.hub.watch(house.topic) { _ in }
      try await house.database.write { try house.hub.end(house.topic, in: $0) }
      let unborn = Topic("ride", "2")
      let (_, zero, _) = try await house.hub.watch(unborn) { _ in }

      house.clock.advance(by: Self.day * 2)
      try await sweepAll(sweep, house)
      #expect(try await events(house, house.topic).count == 300, "first a new incarnation begins")
      house.clock.advance(by: TopicSweep.settling)
      try await sweepAll(sweep, house)
      #expect(try await events(house, house.topic).isEmpty)
      let rows: Int? = try await house.database.read { try $0.first("SELECT count(*) FROM octet_topics") { $0[0] } }
      #expect(rows == 0)

      for token in [early, last] {
        #expect(await topicError { try await house.hub.resume(house.topic, token: token) } == .resumeTokenTooOld)
      }
      try await house.publish(1...5)
      for token in [early, last] {
        #expect(await topicError { try await house.hub.resume(house.topic, token: token) } == .resumeTokenTooOld)
      }
      // One that waited all the time does not take the new topic's events for the old one's.
      #expect(await topicError { try await live.next() } == .resumeTokenTooOld)
      // Nor does one who had seen nothing yet of another topic, which may have come and gone since.
      try await house.database.write { try house.hub.publish(unborn, [1], in: $0) }
      #expect(await topicError { try await house.hub.resume(unborn, token: zero) } == .resumeTokenTooOld)

      let again = try await house.hub.subscribe(house.topic, after: 0)
      #expect(try await house.take(3, again) == [1, 2, 3])
      let resumed = try await house.hub.resume(house.topic, token: again.lastToken)
      #expect(try await house.take(2, resumed) == [4, 5])
    }
  }

  @Test func `a topic that goes on after its end is kept`() async throws {
    try await House.with { house in
      let sweep = TopicSweep([:], ended: Self.day, clock: house.clock)
      try await house.publish(1...2)
      try await house.database.write { try house.hub.end(house.topic, in: $0) }
      house.clock.advance(by: Self.day * 2)
      try await sweepAll(sweep, house)
      try await house.publish(3...3)
      house.clock.advance(by: Self.day * 2)
      try await sweepAll(sweep, house)
      #expect(try await events(house, house.topic) == [1, 2, 3])
    }
  }
}
