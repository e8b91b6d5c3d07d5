internal import Base
internal import Cryptography
internal import Storage

/// What a hub has to do with the other nodes: it tells them of its commits, takes what they tell, and looks in the
/// database for what it was not told.
extension TopicHub {
  /// One subject for all topics: a node takes all announcements and keeps those that somebody here waits for.
  static let subject = "octet.topics"

  /// What a hub holds while other nodes publish too.
  struct BusLink: Sendable {
    /// Nil if all that the nodes have in common is the database.
    let bus: (any MessageBus)?
    let seal: BusSeal
    let wakeUp: ParkingSpot
    let backstop: Task<Void, Never>
    let registrations: [BusSubscription]
  }

  /// Connects the hub to the other nodes. Called once, before the hub is used.
  func join(
    _ bus: (any MessageBus)?, key: SecretKey, _ failed: @escaping @Sendable (any Error) -> Void
  ) -> BusLink {
    let seal = BusSeal(key: key.derived(for: "octet topic announcements"))
    let wakeUp = ParkingSpot()
    let interval = limits.backstopInterval
    return BusLink(
      bus: bus, seal: seal, wakeUp: wakeUp,
      backstop: Task { [weak self] in
        while !Task.isCancelled {
          do { try await wakeUp.park(atMost: interval) } catch { return }
          do {
            try await self?.catchUp()
          } catch {
            if Task.isCancelled { return }
            // A database that cannot be read now is asked again in the next round.
            failed(error)
          }
        }
      },
      registrations: bus.map { bus in
        [
          bus.subscribe(Self.subject) { [weak self] message in self?.take(message, seal) },
          bus.onInterruption { wakeUp.unpark() },
        ]
      } ?? [])
  }

  /// Tells the other nodes of an event that has committed here.
  func announce(_ event: TopicEvent, _ topic: Topic, _ link: BusLink) {
    guard let bus = link.bus else { return }
    let payload = event.payload.count <= limits.announcedPayloadBytes ? event.payload : nil
    let announcement = TopicAnnouncement(
      topic: topic, position: TopicPosition(sequence: event.sequence, born: event.born), payload: payload)
    guard let message = announcement.encode(seal: link.seal) else { return }
    bus.publish(Self.subject, message)
  }

  /// A message of another node comes in.
  private func take(_ message: [UInt8], _ seal: BusSeal) {
    let announcement = TopicAnnouncement.decode(message, seal: seal) { topic in !subscribers(of: topic).isEmpty }
    guard let announcement else { return }
    if let payload = announcement.payload {
      deliver(TopicEvent(announcement.position, payload: payload), announcement.topic)
    } else {
      reload(subscribers(of: announcement.topic), announcement.position)
    }
  }

  /// Looks how far the topics are that have subscribers here, and has those read that were not told.
  func catchUp() async throws {
    let topics = subscribedTopics
    for start in stride(from: 0, to: topics.count, by: limits.topicsPerQuery) {
      let chunk = Array(topics[start..<min(start + limits.topicsPerQuery, topics.count)])
      // Those who subscribe after this read look for themselves.
      let known = chunk.map { subscribers(of: $0) }
      let size = limits.topicsPerQuery
      let positions = try await database.read { try TopicStore.positions(chunk, upTo: size, $0) }
      for (topic, subscribers) in zip(chunk, known) {
        if let position = positions[topic] { reload(subscribers, position) }
      }
    }
  }

  private func reload(_ subscribers: [SubscriberCore], _ position: TopicPosition) {
    for core in subscribers {
      guard let sink = core.announce(position) else { continue }
      Task { await closeGap(core, sink) }
    }
  }
}
