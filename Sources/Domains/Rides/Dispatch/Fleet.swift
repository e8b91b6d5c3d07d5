import Base
import RidesAPI

/// The ride that a driver is on, and the epoch in which it was assigned.
struct Assignment: Sendable, Hashable {
  let ride: Identifier
  let epoch: Int64
}

/// Points of a trail that are not durable yet.
struct TrailBatch: Sendable {
  let driver: Identifier
  let assignment: Assignment
  let points: [AcceptedPosition]
}

/// What this node knows of the drivers at work: where they are, when they were last heard from, what of their trails
/// is not durable yet. Presence is a copy of what is stored; nothing is decided by it alone.
///
/// Safe to share between threads.
final class Fleet: Sendable {
  struct Member: Sendable {
    let city: Identifier
    var presence: Presence
    var assignment: Assignment?
    /// The state of the ride of `assignment`.
    var rideState = RideState.unspecified
    var filter = PositionFilter()
    var lastHeard: Instant
    var trail: [AcceptedPosition] = []
    /// Every position up to this sequence is durable or was refused.
    var durableSequence: Int64 = 0
    /// Whether `filter.last` is newer than the last checkpoint.
    var needsCheckpoint = false
  }

  struct State {
    var members: [Identifier: Member] = [:]
    /// Drivers who are online and whose position is known, by city.
    var indexes: [Identifier: DriverIndex] = [:]
  }

  let state = Locked(State())

  /// Takes over a presence that became durable. A driver who comes online counts as heard from.
  func note(_ presence: PresenceRecord, assignment: Assignment?, now: Instant) {
    state.withLock { state in
      let driver = presence.driverID
      var member = state.members[driver] ?? Member(city: presence.cityID, presence: .offline, lastHeard: now)
      if member.presence == .offline { member.lastHeard = now }
      member.presence = presence.state
      if member.assignment != assignment {
        member.assignment = assignment
        member.trail = []
        member.durableSequence = member.filter.last?.sequence ?? 0
      }
      state.members[driver] = member
      state.place(driver)
    }
  }

  /// Takes over the state of a ride that became durable.
  func note(_ state: RideState, ofRide ride: Identifier, drivenBy driver: Identifier) {
    self.state.withLock { fleet in
      if fleet.members[driver]?.assignment?.ride == ride { fleet.members[driver]?.rideState = state }
    }
  }

  /// Takes over a driver from storage, after a start. The time of silence begins anew.
  func restore(
    _ presence: PresenceRecord, assignment: Assignment?, rideState: RideState, last: AcceptedPosition?,
    durableSequence: Int64, now: Instant
  ) {
    state.withLock { state in
      var member = Member(
        city: presence.cityID, presence: presence.state, assignment: assignment,
        rideState: rideState, filter: PositionFilter(resumingAfter: last), lastHeard: now)
      member.durableSequence = durableSequence
      state.members[presence.driverID] = member
      state.place(presence.driverID)
    }
  }

  /// The driver was heard from. False for one that is not in memory.
  @discardableResult
  func hear(_ driver: Identifier, now: Instant) -> Bool {
    state.withLock { state in
      state.members[driver]?.lastHeard = now
      return state.members[driver] != nil
    }
  }

  /// Takes an offline driver into memory, who goes on after a known position.
  func meet(_ driver: Identifier, city: Identifier, last: AcceptedPosition?, now: Instant) {
    state.withLock { state in
      guard state.members[driver] == nil else { return }
      state.members[driver] = Member(
        city: city, presence: .offline, filter: PositionFilter(resumingAfter: last), lastHeard: now)
    }
  }

  /// The drivers that were not heard from since an instant, by id: one for free drivers, one for those on the way to a
  /// pickup.
  func silent(freeSince free: Instant, onRideSince onRide: Instant) -> [Identifier] {
    state.withLock { state in
      state.members.filter { $0.value.isSilent(freeSince: free, onRideSince: onRide) }.keys.sorted()
    }
  }

  /// Whether a driver is one of those, now.
  func isSilent(_ driver: Identifier, freeSince free: Instant, onRideSince onRide: Instant) -> Bool {
    state.withLock { $0.members[driver]?.isSilent(freeSince: free, onRideSince: onRide) ?? false }
  }

  /// What a driver does, as far as this node knows.
  func presence(of driver: Identifier) -> Presence {
    state.withLock { $0.members[driver]?.presence ?? .offline }
  }

  /// The last accepted position of a driver.
  func position(of driver: Identifier) -> AcceptedPosition? {
    state.withLock { $0.members[driver]?.filter.last }
  }

  /// The index of a city, and which of its drivers were heard from after an instant.
  func snapshot(of city: Identifier, heardAfter instant: Instant) -> (index: DriverIndex, heard: Set<Identifier>) {
    state.withLock { state in
      let heard = state.members.filter { $0.value.city == city && $0.value.lastHeard > instant }.keys
      return (state.indexes[city] ?? DriverIndex(), Set(heard))
    }
  }

  /// Forgets drivers who are offline, were not heard from since an instant and have nothing that waits to be stored.
  func forgetOffline(unheardSince instant: Instant) {
    state.withLock { state in
      state.members = state.members.filter { _, member in
        member.presence != .offline || member.needsCheckpoint || member.lastHeard > instant
      }
    }
  }
}

extension Fleet.Member {
  fileprivate func isSilent(freeSince free: Instant, onRideSince onRide: Instant) -> Bool {
    switch presence {
    case .idle, .offered: lastHeard <= free
    case .enRoute: lastHeard <= onRide
    default: false
    }
  }
}

extension Fleet.State {
  /// Puts a driver where the index should have them: online drivers in the cell of their last position, others nowhere.
  mutating func place(_ driver: Identifier) {
    guard let member = members[driver] else { return }
    if member.presence != .offline, let position = member.filter.last {
      indexes[member.city, default: DriverIndex()].place(driver, at: position.coordinate)
    } else {
      indexes[member.city]?.remove(driver)
    }
  }
}
