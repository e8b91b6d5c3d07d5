public import Streaming

/// Wakes those who watch counts of a thing when these have changed, here or on another node. What they are told they read
/// themselves, as fast as they can take it: nothing waits for a slow reader, which gets the newest, and who may see the
/// thing is asked again then.
///
/// Safe to share between threads.
public final class ChangeBoard: Sendable {
  /// Says that something has changed, and nothing else.
  public struct Mark: Sendable {}

  private let topics: ConflatingTopics<Mark>

  /// - Parameter name: of these counts alone, and the same on all nodes.
  public init(_ name: String, _ kit: Kit) {
    guard let bus = kit.others?.bus else {
      topics = ConflatingTopics()
      return
    }
    topics = ConflatingTopics(
      bus: bus, subject: "octet." + name, key: kit.keys.derived(for: "changes of " + name), encode: { _ in [] },
      decode: { _ in Mark() })
  }

  private func topic(_ thing: SubjectID) -> Topic { Topic("changes", thing.text) }

  /// To be called after the commit. From any thread; never waits.
  public func changed(_ thing: SubjectID) { topics.update(topic(thing), Mark()) }

  /// Each mark wakes its reader once; several that wait are one.
  public func subscribe(_ thing: SubjectID) -> ConflatingSubscription<Mark> { topics.subscribe(topic(thing)) }

  /// The things that somebody watches here, in no order.
  public var readThings: [SubjectID] {
    topics.readTopics.compactMap { SubjectID(parsing: String($0.name.dropFirst($0.kind.utf8.count + 1))) }
  }

  /// Has the watchers of a thing here look: a change was found of which another node's word may have been lost.
  public func wake(_ thing: SubjectID) { topics.take(topic(thing), Mark()) }
}
