import Base
import Testing

@testable import Streaming

@Suite struct ConflatingTopicsTests {
  private let topics = ConflatingTopics<Int>()
  private let topic = Topic("position", "1")

  @Test func `a slow reader gets the newest value only`() async throws {
    let subscription = topics.subscribe(topic)
    for value in 1...100 { topics.publish(topic, value) }
    #expect(try await subscription.next() == 100)
    topics.publish(topic, 101)
    #expect(try await subscription.next() == 101)
  }

  @Test func `a value that is overtaken on its way to a reader does not replace the newer one`() {
    let core = ConflatingCore<Int>(topic)
    core.offer(2, version: 2)
    core.offer(1, version: 1)
    guard case .value(2) = core.take(), case .nothing = core.take() else {
      Issue.record("the newest value is 2")
      return
    }
  }

  @Test func `an update after the end is not kept`() async throws {
    topics.update(topic, 1)
    #expect(topics.newest(topic) == nil)
    let subscription = topics.subscribe(topic)
    topics.update(topic, 2)
    #expect(try await subscription.next() == 2)
    topics.end(topic)
    topics.update(topic, 3)
    #expect(topics.newest(topic) == nil)
  }

  @Test func `an update without readers leaves nothing behind`() async throws {
    var reader: ConflatingSubscription<Int>? = topics.subscribe(topic)
    topics.update(topic, 1)
    #expect(try await reader?.next() == 1)
    #expect(topics.readTopics == [topic])
    reader = nil
    #expect(topics.newest(topic) == nil)
    #expect(topics.readTopics.isEmpty)
  }

  @Test func `values are merged, and what is nothing new wakes nobody`() async throws {
    let topics = ConflatingTopics<Int>(merge: { $1 > $0 ? $1 : nil })
    let reader = topics.subscribe(topic)
    topics.publish(topic, 5)
    topics.take(topic, 3)
    #expect(try await reader.next() == 5)
    topics.take(topic, 4)
    topics.update(topic, 7)
    topics.take(topic, 6)
    #expect(try await reader.next() == 7)
    topics.takeEnd(topic)
    #expect(try await reader.next() == nil)
  }

  @Test func `a new reader starts with the newest value`() async throws {
    topics.publish(topic, 1)
    topics.publish(topic, 2)
    #expect(try await topics.subscribe(topic).next() == 2)
    #expect(topics.newest(topic) == 2)
  }

  @Test func `readers of one topic do not disturb each other or other topics`() async throws {
    let (first, second) = (topics.subscribe(topic), topics.subscribe(topic))
    let other = topics.subscribe(Topic("position", "2"))
    topics.publish(topic, 1)
    #expect(try await first.next() == 1)
    topics.publish(topic, 2)
    #expect(try await first.next() == 2)
    #expect(try await second.next() == 2)
    topics.publish(Topic("position", "2"), 9)
    #expect(try await other.next() == 9)
  }

  @Test func `the end comes after the newest value, and the topic is forgotten`() async throws {
    let subscription = topics.subscribe(topic)
    topics.publish(topic, 1)
    topics.end(topic)
    #expect(try await subscription.next() == 1)
    #expect(try await subscription.next() == nil)
    #expect(topics.newest(topic) == nil)
  }

  @Test func `whoever meant an older value ends nothing`() async throws {
    let subscription = topics.subscribe(topic)
    #expect(!topics.end(topic) { _ in true }, "there was no value")
    topics.publish(topic, 1)
    topics.publish(topic, 2)
    #expect(!topics.end(topic) { $0 == 1 })
    #expect(topics.newest(topic) == 2)
    #expect(topics.end(topic) { $0 == 2 })
    #expect(try await subscription.next() == 2)
    #expect(try await subscription.next() == nil)
    #expect(topics.newest(topic) == nil)
  }

  @Test func `a waiting reader wakes up for a value, for the end and when it is cancelled`() async throws {
    let subscription = topics.subscribe(topic)
    async let value = subscription.next()
    topics.publish(topic, 1)
    #expect(try await value == 1)
    async let end = subscription.next()
    topics.end(topic)
    #expect(try await end == nil)
    let other = topics.subscribe(topic)
    let reader = Task { try await other.next() }
    reader.cancel()
    await #expect(throws: CancellationError.self) { try await reader.value }
  }

  @Test func `values rise for every reader while others publish`() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        let subscription = topics.subscribe(topic)
        group.addTask {
          var last = 0
          while let value = try await subscription.next() {
            #expect(value > last)
            last = value
          }
          #expect(last == 10_000)
        }
      }
      group.addTask {
        for value in 1...10_000 { topics.publish(topic, value) }
        topics.end(topic)
      }
      try await group.waitForAll()
    }
  }
}
