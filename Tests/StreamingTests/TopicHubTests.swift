import Base
import Cryptography
import Storage
import Testing

@testable import Streaming

@Suite struct TopicHubTests {
  private struct Refused: Error {}

  @Test func `sequence numbers are dense per topic, also when transactions roll back`() async throws {
    try await House.with { house in
      let topics = (0..<4).map { Topic("ride", "\($0)") }
      await withTaskGroup(of: Void.self) { group in
        for n in 0..<400 {
          group.addTask {
            _ = try? await house.database.write { writer in
              try house.hub.publish(topics[n % 4], [1], in: writer)
              if n % 8 < 4 { throw Refused() }
            }
          }
        }
      }
      for topic in topics {
        let numbers: [Int] = try await house.database.read {
          try $0.rows("SELECT sequence FROM octet_topic_events WHERE topic = $1 ORDER BY sequence", topic.name) {
            $0[0]
          }
        }
        #expect(numbers == Array(1...50))
      }
    }
  }

  @Test func `replay goes over into live without gap or repetition while others publish`() async throws {
    var limits = TopicLimits()
    limits.pageEvents = 7
    try await House.with(limits: limits) { house in
      try await house.publish(1...100)
      try await withThrowingTaskGroup(of: [UInt64].self) { group in
        group.addTask {
          try await house.publish(101...300)
          return []
        }
        for reader in 0..<10 {
          group.addTask {
            let subscription = try await house.hub.subscribe(house.topic, after: UInt64(reader * 10))
            return try await house.take(300 - reader * 10, subscription)
          }
        }
        for try await taken in group where !taken.isEmpty {
          #expect(taken == Array((301 - UInt64(taken.count))...300))
        }
      }
    }
  }

  @Test func `an event of a transaction that rolls back is never seen`() async throws {
    try await House.with { house in
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      await #expect(throws: Refused.self) {
        try await house.database.write { writer in
          try house.hub.publish(house.topic, [66], in: writer)
          throw Refused()
        }
      }
      try await house.publish(1...1)
      let event = try await subscription.next()
      #expect(event.sequence == 1 && event.payload == [1])
    }
  }

  @Test func `a snapshot goes with exactly the events that follow it`() async throws {
    try await House.with { house in
      // Each transaction adds a row and an event, so a snapshot of n rows is followed by event n + 1.
      let add: @Sendable () async throws -> Void = {
        try await house.database.write { writer in
          try writer.execute("INSERT INTO notes (id) SELECT count(*) + 1 FROM notes")
          try house.hub.publish(house.topic, [0], in: writer)
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { for _ in 0..<200 { try await add() } }
        for _ in 0..<20 {
          group.addTask {
            let (rows, token, subscription) = try await house.hub.watch(house.topic) { reader in
              try reader.first("SELECT count(*) FROM notes") { $0[0] as UInt64 } ?? 0
            }
            #expect(try house.hub.tokens.read(token, house.topic) == rows)
            if rows < 200 { #expect(try await subscription.next().sequence == rows + 1) }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func `a client that comes back with its last token misses nothing and repeats nothing`() async throws {
    try await House.with { house in
      try await house.publish(1...5)
      var subscription = try await house.hub.subscribe(house.topic, after: 0)
      var seen = try await house.take(3, subscription)
      for _ in 0..<4 {
        let token = subscription.lastToken
        subscription = try await house.hub.resume(house.topic, token: token)
        seen += try await house.take(2, subscription)
        try await house.publish(1...2)
      }
      #expect(seen == Array(1...11))
    }
  }

  @Test func `a token survives a restart of the service`() async throws {
    try await House.with { house in
      try await house.publish(1...3)
      let token = house.hub.tokens.make(house.topic, TopicPosition(sequence: 1, born: 0))
      let key = SecretKey([UInt8](repeating: 7, count: SecretKey.standardLength))
      let again = TopicHub(database: house.database, clock: house.clock, key: key)
      let subscription = try await again.resume(house.topic, token: token)
      #expect(try await house.take(2, subscription) == [2, 3])
    }
  }

  @Test func `a forged token, another topic's or another key's is refused`() async throws {
    try await House.with { house in
      try await house.publish(1...3)
      let token = house.hub.tokens.make(house.topic, TopicPosition(sequence: 1, born: 0))
      let flipped = (token.first == "A" ? "B" : "A") + token.dropFirst()
      let last = (token.last == "A" ? "B" : "A")
      let foreign = ResumeTokens(key: .random()).make(house.topic, TopicPosition(sequence: 1, born: 0))
      for bad in ["", "x", flipped, String(token.dropLast()) + last, token + "A", foreign] {
        #expect(await topicError { try await house.hub.resume(house.topic, token: bad) } == .invalidResumeToken)
      }
      let elsewhere = Topic("ride", "2")
      #expect(await topicError { try await house.hub.resume(elsewhere, token: token) } == .invalidResumeToken)
    }
  }

  @Test func `a token of before a restore is too old, also where its number has been given again`() async throws {
    try await House.with { house in
      let key = SecretKey([UInt8](repeating: 7, count: SecretKey.standardLength))
      let position = TopicPosition(sequence: 2, born: 0)
      let histories = [DatabaseHistory.first, DatabaseHistory(number: 1), DatabaseHistory(number: .max)]
      let hubs = histories.map {
        TopicHub(database: house.database, clock: house.clock, key: key, history: $0)
      }
      try await house.publish(1...3)
      for (made, giver) in hubs.enumerated() {
        let token = giver.tokens.make(house.topic, position)
        for (read, taker) in hubs.enumerated() {
          if made == read {
            #expect(try await house.take(1, try await taker.resume(house.topic, token: token)) == [3])
          } else {
            #expect(await topicError { try await taker.resume(house.topic, token: token) } == .resumeTokenTooOld)
          }
        }
      }
    }
  }

  @Test func `a position that the topic never had is refused`() async throws {
    try await House.with { house in
      try await house.publish(1...3)
      #expect(await topicError { try await house.hub.subscribe(house.topic, after: 4) } == .invalidResumeToken)
    }
  }

  @Test func `a token too old to replay is refused, and the numbering goes on`() async throws {
    try await House.with { house in
      try await house.publish(1...10)
      let deleted = try await house.database.write { try house.hub.compact(house.topic, through: 6, in: $0) }
      #expect(deleted == 6)
      #expect(await topicError { try await house.hub.subscribe(house.topic, after: 5) } == .resumeTokenTooOld)
      let subscription = try await house.hub.subscribe(house.topic, after: 6)
      #expect(try await house.take(4, subscription) == [7, 8, 9, 10])
      try await house.database.write { try house.hub.compact(house.topic, through: 10, in: $0) }
      #expect(await topicError { try await house.hub.subscribe(house.topic, after: 9) } == .resumeTokenTooOld)
      try await house.publish(1...1)
      #expect(try await subscription.next().sequence == 11)
    }
  }

  @Test func `old events are compacted by their age`() async throws {
    try await House.with { house in
      let start = house.clock.now()
      for n in 1...10 {
        try await house.publish(n...n)
        house.clock.advance(by: .seconds(1))
      }
      let compact = { (instant: Instant) in
        try await house.database.write { try house.hub.compact(house.topic, before: instant, in: $0) }
      }
      #expect(try await compact(start + .seconds(4)) == 4)
      #expect(try await compact(start) == 0)
      #expect(try await compact(start + .seconds(100)) == 6)
    }
  }

  @Test func `a reader overtaken by compaction is told`() async throws {
    var limits = TopicLimits()
    limits.pageEvents = 2
    try await House.with(limits: limits) { house in
      try await house.publish(1...10)
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      #expect(try await house.take(2, subscription) == [1, 2])
      try await house.database.write { try house.hub.compact(house.topic, through: 5, in: $0) }
      #expect(await topicError { try await subscription.next() } == .resumeTokenTooOld)
    }
  }

  @Test(.timeLimit(.minutes(60)), arguments: [false, true])
  func `a reader overtaken by compaction that leaves nothing is told`(publishesMeanwhile: Bool) async throws {
    var limits = TopicLimits()
    limits.pageEvents = 2
    try await House.with(limits: limits) { house in
      try await house.publish(1...10)
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      #expect(try await house.take(2, subscription) == [1, 2])
      // This one is announced to the reader, and gone before it reads.
      if publishesMeanwhile { try await house.publish(11...11) }
      let end: UInt64 = publishesMeanwhile ? 11 : 10
      try await house.database.write { try house.hub.compact(house.topic, through: end, in: $0) }
      #expect(await topicError { try await subscription.next() } == .resumeTokenTooOld)
    }
  }

  @Test func `a slow reader is ended with the token of what it has taken, others go on`() async throws {
    var limits = TopicLimits()
    limits.queuedEvents = 10
    try await House.with(limits: limits) { house in
      let slow = try await house.hub.subscribe(house.topic, after: 0)
      let fast = try await house.hub.subscribe(house.topic, after: 0)
      try await house.publish(1...2)
      #expect(try await house.take(2, slow) == [1, 2])
      #expect(try await house.take(2, fast) == [1, 2])
      for n in 3...20 {
        try await house.publish(n...n)
        #expect(try await fast.next().sequence == UInt64(n))
      }
      let error = await topicError { try await slow.next() }
      #expect(error == .slowReader(lastToken: house.hub.tokens.make(house.topic, TopicPosition(sequence: 2, born: 0))))
      let again = try await house.hub.resume(house.topic, token: slow.lastToken)
      #expect(try await house.take(18, again) == Array(3...20))
    }
  }

  @Test func `a reader is also slow when the bytes are too many`() async throws {
    var limits = TopicLimits()
    limits.queuedBytes = 1000
    try await House.with(limits: limits) { house in
      let slow = try await house.hub.subscribe(house.topic, after: 0)
      for _ in 1...3 {
        try await house.database.write {
          try house.hub.publish(house.topic, [UInt8](repeating: 0, count: 400), in: $0)
        }
      }
      let error = await topicError { try await slow.next() }
      #expect(error == .slowReader(lastToken: house.hub.tokens.make(house.topic, TopicPosition(sequence: 0, born: 0))))
    }
  }

  @Test func `events can carry their own token and are encoded once for all`() async throws {
    try await House.with { house in
      let subscriptions = [
        try await house.hub.subscribe(house.topic, after: 0), try await house.hub.subscribe(house.topic, after: 0),
      ]
      try await house.database.write { writer in
        try house.hub.publish(house.topic, in: writer) { sequence, token in [UInt8(sequence)] + Array(token.utf8) }
      }
      let events = [try await subscriptions[0].next(), try await subscriptions[1].next()]
      #expect(events[0] === events[1])
      #expect(events[0].payload.dropFirst().elementsEqual(subscriptions[0].lastToken.utf8))
      let made = Locked(0)
      for event in events {
        let frame = event.shared { event in
          made.withLock { $0 += 1 }
          return [0, 0, 0, 0, UInt8(event.payload.count)] + event.payload
        }
        #expect(frame.count == 5 + event.payload.count)
      }
      #expect(made.withLock { $0 } == 1)
    }
  }

  @Test func `closing ends subscriptions and refuses new ones`() async throws {
    try await House.with { house in
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      async let waiting = topicError { try await subscription.next() }
      house.hub.close()
      #expect(await waiting == .closed)
      #expect(await topicError { try await house.hub.subscribe(house.topic, after: 0) } == .closed)
    }
  }

  @Test func `a waiting reader can be cancelled, and the subscription stays usable`() async throws {
    try await House.with { house in
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      let reader = Task { try await subscription.next() }
      reader.cancel()
      await #expect(throws: CancellationError.self) { try await reader.value }
      try await house.publish(1...1)
      #expect(try await subscription.next().sequence == 1)
    }
  }
}
