import Base
import DomainKit
import Storage

/// What happens in queues by itself: they open, entries are called, streams are told. Every node tells its own streams; the
/// owner of a queue, by a lease, opens it and calls.
///
/// There is one round at a time.
final class QueueRunner: Sendable {
  private let queue: AdmissionQueue
  private let ownership: Ownership?
  private let lines = Locked<[Identifier: QueueLine]>([:])
  private let ownsAny = Locked(false)
  private var kit: Kit { queue.kit }
  private var limits: QueueLimits { queue.limits }

  /// Entries whose rows are looked at together.
  private static let lookedAtTogether = 64

  init(_ queue: AdmissionQueue) {
    self.queue = queue
    ownership = queue.kit.others?.ownership(of: "queue/event", lifetime: queue.limits.ownerLease)
  }

  func start() {
    queue.loop.start { [self] in
      while !queue.loop.isStopping {
        var isBusy = false
        do {
          isBusy = try await round()
        } catch {
          kit.log.warning("queue_round_failed", ["error": .text("\(error)")])
        }
        await queue.loop.pause(atMost: isBusy ? limits.roundInterval : limits.idleInterval)
      }
    }
  }

  func stop() async {
    await queue.loop.stop()
    // Others need not wait for the leases to end; if that fails, they do.
    try? await ownership?.releaseAll()
    try? await queue.presence.write(to: kit.database, at: kit.clock.now())
  }

  /// Does what is to be done now.
  /// - Returns: whether somebody waits.
  @discardableResult
  func round() async throws -> Bool {
    try await queue.presence.write(to: kit.database, at: kit.clock.now())
    let clock = kit.clock
    let live = try await kit.database.read { try EventRow.live(at: clock.now(), in: $0) }
    queue.presence.answered(at: clock.now())
    for (event, lease) in try await owned(live) {
      do {
        try await run(event, lease)
      } catch is LeaseLost {
        // Another node goes on with it; this one's other queues and streams are not kept waiting.
        continue
      }
    }
    let followed = queue.followers.events
    for event in followed { try await tell(event) }
    let needed = Set(live.map(\.id)).union(followed)
    lines.withLock { lines in lines = lines.filter { needed.contains($0.key) } }
    return !followed.isEmpty || live.contains { $0.waiting > 0 }
  }

  /// Those that this node opens and calls; all of them if there is no other node.
  private func owned(_ live: [EventRow]) async throws -> [(EventRow, Lease?)] {
    guard let ownership else { return live.map { ($0, nil) } }
    // Where there are no queues, nothing is written for them.
    guard !live.isEmpty || ownsAny.withLock({ $0 }) else { return [] }
    let byThing = Dictionary(uniqueKeysWithValues: live.map { ("\($0.id.rawValue)", $0) })
    let owned = try await ownership.round(live.map { "\($0.id.rawValue)" })
    ownsAny.withLock { $0 = !owned.isEmpty }
    return owned.compactMap { owned in byThing[owned.thing].map { ($0, owned.lease) } }
  }

  // MARK: Calling

  private func run(_ event: EventRow, _ lease: Lease?) async throws {
    var event = event
    if !event.isOpen {
      let opened = try await kit.database.write { [id = event.id, clock = kit.clock] writer in
        if let lease { try Leases.confirm(lease, by: clock, in: writer) }
        try EventRow.open(id, in: writer)
        return try EventRow.find(id, in: writer)
      }
      guard let opened, opened.isOpen else { return }
      event = opened
    }
    if event.waiting > 0 {
      let line = try await line(of: event)
      while try await call(event.id, line, lease) {}
    }
    let (id, clock) = (event.id, kit.clock)
    guard try await kit.database.read({ try EntryRow.hasExpired(id, at: clock.now(), in: $0) }) else { return }
    try await kit.database.write { try EntryRow.expire(id, at: clock.now(), in: $0) }
  }

  /// Who waits, up to date.
  private func line(of event: EventRow) async throws -> QueueLine {
    let (id, limit, database) = (event.id, limits.loadedAtOnce, kit.database)
    var line: QueueLine
    if let known = lines.withLock({ $0.removeValue(forKey: id) }) {
      line = known
    } else {
      // All of it: since the queue is open, nobody joins the lobby any more.
      var lobby: [QueuePlace] = []
      while true {
        let last = lobby.last?.entry ?? Identifier(rawValue: 0)
        let more = try await database.read { try EntryRow.lobby(id, after: last, limit: limit, in: $0) }
        lobby += more
        if more.count < limit { break }
      }
      line = QueueLine(QueueOrder(secret: queue.secret(of: id)), lobby: lobby)
    }
    while line.lastSequence < event.lastSequence {
      let last = line.lastSequence
      let later = try await database.read { try EntryRow.later(id, after: last, limit: limit, in: $0) }
      line.append(later)
      if later.count < limit { break }
    }
    line.drop(upTo: event.calledKey(line.order))
    lines.withLock { [line] in $0[id] = line }
    return line
  }

  /// Calls those whose turn it is, as far as the rate permits and one transaction should go.
  /// - Returns: whether to go on at once.
  private func call(_ id: Identifier, _ line: QueueLine, _ lease: Lease?) async throws -> Bool {
    let (clock, limits, presence) = (kit.clock, limits, queue.presence)
    return try await kit.database.write { writer in
      if let lease { try Leases.confirm(lease, by: clock, in: writer) }
      guard var event = try EventRow.hold(id, in: writer), event.isOpen, !event.isClosed else { return false }
      let now = clock.now()
      // As of now: the transaction may have waited for the database longer than anybody may be unseen.
      presence.answered(at: now)
      let isThereSince = presence.isThereSince
      let start = line.index(after: event.calledKey(line.order))
      var next = line.spots[start...].prefix(limits.calledAtOnce)
      guard !next.isEmpty, event.tokens(at: now) > 0 else { return false }
      while !next.isEmpty, event.tokens(at: now) > 0 {
        let together = next.prefix(min(Self.lookedAtTogether, Int(clamping: event.tokens(at: now))))
        try Self.call(together, of: &event, at: now, isThereSince, limits, writer)
        next = next.dropFirst(together.count)
      }
      try event.update(in: writer)
      return event.tokens(at: now) > 0 && start + limits.calledAtOnce < line.spots.count
    }
  }

  /// Calls some, no more than there are tokens.
  private static func call(
    _ spots: ArraySlice<QueueLine.Spot>, of event: inout EventRow, at now: Instant, _ isThereSince: Instant,
    _ limits: QueueLimits, _ writer: any Writer
  ) throws {
    let ids = spots.map(\.place.entry)
    let rows = try EntryRow.find(event.id, ids, in: writer)
    let seen = try EntryRow.lastSeen(event.id, ids, in: writer)
    for place in spots.lazy.map(\.place) {
      event.called = (place.entry, place.isLobby ? 0 : place.sequence)
      guard let row = rows[place.entry], row.state == .waiting else { continue }
      let lastSeen = max(row.createdAt, seen[place.entry] ?? row.createdAt, isThereSince)
      if now - lastSeen >= limits.unseenLimit {
        guard try EntryRow.change(event.id, place.entry, from: .waiting, to: .abandoned, in: writer) else { continue }
      } else {
        let number = event.admitted + 1
        guard
          try EntryRow.admit(event.id, place.entry, number: number, until: now + event.ticketTime, in: writer)
        else { continue }
        event.admitted = number
        event.takeToken(at: now)
      }
      event.waiting -= 1
    }
  }

  // MARK: Telling

  private func tell(_ id: Identifier) async throws {
    let followers = queue.followers.of(id)
    let (clock, interval) = (kit.clock, limits.placeInterval)
    guard let event = try await kit.database.read({ try EventRow.find(id, in: $0) }) else {
      for follower in followers { follower.tell(.ended(.closed), at: clock.now(), every: interval) }
      return
    }
    let line = event.isOpen ? try await line(of: event) : nil
    let called = line.flatMap { event.calledKey($0.order) }
    let keyed = followers.map { follower in (follower, key: line?.order.key(of: follower.place)) }
    let looked = keyed.filter { follower, key in
      let isCalled = key.flatMap { key in called.map { key <= $0 } } ?? false
      return follower.takeLook() || isCalled
    }.map(\.0.place.entry)
    let rows: [Identifier: EntryRow]
    do {
      rows = try await kit.database.read { try EntryRow.find(id, looked, in: $0) }
    } catch {
      // The next round looks again.
      for entry in looked { queue.followers.look(id, entry) }
      throw error
    }
    let isLookedAt = Set(looked)
    let now = clock.now()
    for (follower, key) in keyed {
      let entry = follower.place.entry
      let update: QueueUpdate
      if isLookedAt.contains(entry), let standing = queue.standing(rows[entry], at: now) {
        update = standing
      } else if event.isClosed {
        update = .ended(.closed)
      } else if let line, let key {
        let place = max(1, line.number(of: key, after: called))
        update = .waiting(place: place, wait: event.step * Int(clamping: place))
      } else {
        update = .lobby(opensAt: event.opensAt, waiting: event.waiting)
      }
      follower.tell(update, at: now, every: interval)
    }
  }
}

extension EventRow {
  /// The last one whose turn it was, in the queue's order.
  func calledKey(_ order: QueueOrder) -> QueueOrder.Key? {
    called.map { called in
      order.key(
        of: QueuePlace(
          event: id, entry: called.entry, isLobby: called.sequence == 0, sequence: called.sequence))
    }
  }
}
