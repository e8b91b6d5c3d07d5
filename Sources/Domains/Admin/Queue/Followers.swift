import Base
import DomainKit

/// A stream that follows a place. It gets the newest state, however many there were meanwhile.
final class Follower: Sendable {
  private struct State {
    /// What the stream has not taken yet.
    var next: QueueUpdate?
    /// What it was told last, and when.
    var told: (update: QueueUpdate, at: Instant)?
    /// Whether the row must be looked at, whoever's turn it is.
    var wantsLook = true
  }

  let place: QueuePlace
  private let spot = ParkingSpot()
  private let state = Locked(State())

  init(_ place: QueuePlace) {
    self.place = place
  }

  /// Waits for what it has not seen. For one task.
  /// - Throws: `CancellationError`.
  func next() async throws -> QueueUpdate {
    while true {
      if let update = state.withLock({ $0.next.take() }) { return update }
      try await spot.park()
    }
  }

  /// Tells a state, unless that is known, or is but another place so soon after the last one.
  func tell(_ update: QueueUpdate, at now: Instant, every interval: Duration) {
    let isNew = state.withLock { state in
      if let told = state.told {
        guard told.update != update, !told.update.isLast else { return false }
        guard update.isLast || told.update.isOfOtherKind(than: update) || now - told.at >= interval else {
          return false
        }
      }
      (state.next, state.told) = (update, (update, now))
      return true
    }
    if isNew { spot.unpark() }
  }

  func look() { state.withLock { $0.wantsLook = true } }

  /// Whether its row must be looked at, which is then done.
  func takeLook() -> Bool {
    state.withLock { state in
      defer { state.wantsLook = false }
      return state.wantsLook
    }
  }
}

extension QueueUpdate {
  /// Whether one tells of the lobby and the other of a place.
  fileprivate func isOfOtherKind(than other: QueueUpdate) -> Bool {
    switch (self, other) {
    case (.lobby, .lobby), (.waiting, .waiting): false
    default: true
    }
  }
}

/// The streams on this node, by queue and entry. Safe to share between threads.
final class Followers: Sendable {
  private let state = Locked<[Identifier: [Identifier: [Follower]]]>([:])

  func add(_ follower: Follower) {
    state.withLock { $0[follower.place.event, default: [:]][follower.place.entry, default: []].append(follower) }
  }

  func remove(_ follower: Follower) {
    state.withLock { events in
      guard var entries = events.removeValue(forKey: follower.place.event) else { return }
      entries[follower.place.entry]?.removeAll { $0 === follower }
      if entries[follower.place.entry]?.isEmpty ?? false { entries[follower.place.entry] = nil }
      if !entries.isEmpty { events[follower.place.event] = entries }
    }
  }

  /// Has the row of an entry looked at.
  func look(_ event: Identifier, _ entry: Identifier) {
    for follower in state.withLock({ $0[event]?[entry] ?? [] }) { follower.look() }
  }

  /// Has the rows of all entries of a queue looked at.
  func look(_ event: Identifier) {
    for follower in of(event) { follower.look() }
  }

  var events: [Identifier] { state.withLock { $0.keys.sorted() } }

  func of(_ event: Identifier) -> [Follower] {
    state.withLock { $0[event].map { $0.values.flatMap { $0 } } ?? [] }
  }
}
