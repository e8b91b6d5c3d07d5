import Base
import DomainKit
import Streaming

/// Wakes those who watch the counters of something when these have changed, here or on another node. What they are told
/// they read themselves: who may see the thing is asked again then.
final class CounterBoard: Sendable {
  /// Says that something has changed, and nothing else.
  struct Mark: Sendable {}

  private let topics: ConflatingTopics<Mark>

  init(kit: Kit) {
    guard let bus = kit.others?.bus else {
      topics = ConflatingTopics()
      return
    }
    topics = ConflatingTopics(
      bus: bus, subject: "octet.social.counters", key: kit.keys.derived(for: "social counters 1"), encode: { _ in [] },
      decode: { _ in Mark() })
  }

  private func topic(_ subject: SubjectID) -> Topic { Topic("counters", subject.text) }

  /// From any thread; never waits.
  func changed(_ subject: SubjectID) { topics.update(topic(subject), Mark()) }

  func subscribe(_ subject: SubjectID) -> ConflatingSubscription<Mark> { topics.subscribe(topic(subject)) }

  /// Has all watchers look. For changes of which another node's word may have been lost.
  func wakeAll() {
    for topic in topics.readTopics { topics.take(topic, Mark()) }
  }
}
