import Base
import Storage
import Testing

@testable import Streaming

@Suite struct TopicSinkTests {
  @Test func `a sink gets the replay and then what is committed, without a task`() async throws {
    try await House.with { house in
      try await house.publish(1...5)
      let subscription = try await house.hub.subscribe(house.topic, after: 2)
      let recorder = Recorder()
      try await subscription.forward(to: recorder)
      #expect(recorder.seen.withLock { $0 } == [3, 4, 5])
      try await house.publish(6...9)
      #expect(recorder.seen.withLock { $0 } == [3, 4, 5, 6, 7, 8, 9])
      withExtendedLifetime(subscription) {}
    }
  }

  @Test func `a sink attached while others publish misses nothing`() async throws {
    var limits = TopicLimits()
    limits.pageEvents = 3
    try await House.with(limits: limits) { house in
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await house.publish(1...200) }
        for _ in 0..<8 {
          group.addTask {
            let subscription = try await house.hub.subscribe(house.topic, after: 0)
            let recorder = Recorder()
            try await subscription.forward(to: recorder)
            try await recorder.wait { recorder.seen.withLock { $0.last == 200 } }
            #expect(recorder.seen.withLock { $0 } == Array(1...200))
            withExtendedLifetime(subscription) {}
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func `a sink without room is ended with its last token`() async throws {
    try await House.with { house in
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      let recorder = Recorder(room: 3)
      try await subscription.forward(to: recorder)
      try await house.publish(1...5)
      #expect(recorder.seen.withLock { $0 } == [1, 2, 3])
      let token = house.hub.tokens.make(house.topic, TopicPosition(sequence: 3, born: 0))
      #expect(recorder.ended.withLock { $0 } == [.slowReader(lastToken: token)])
      withExtendedLifetime(subscription) {}
    }
  }

  @Test func `a sink hears nothing after its subscription was let go`() async throws {
    try await House.with { house in
      let recorder = Recorder()
      do {
        let subscription = try await house.hub.subscribe(house.topic, after: 0)
        try await subscription.forward(to: recorder)
        try await house.publish(1...1)
        withExtendedLifetime(subscription) {}
      }
      try await house.publish(2...2)
      #expect(recorder.seen.withLock { $0 } == [1])
      #expect(recorder.ended.withLock { $0 }.isEmpty)
    }
  }

  @Test func `closing tells the sink once`() async throws {
    try await House.with { house in
      let subscription = try await house.hub.subscribe(house.topic, after: 0)
      let recorder = Recorder()
      try await subscription.forward(to: recorder)
      house.hub.close()
      house.hub.close()
      #expect(recorder.ended.withLock { $0 } == [.closed])
      withExtendedLifetime(subscription) {}
    }
  }
}
