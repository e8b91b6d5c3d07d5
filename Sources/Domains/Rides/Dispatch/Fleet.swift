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

/// What a checkpoint keeps of a driver.
struct DriverCheckpoint: Sendable {
  let driver: Identifier
  /// Nil if it is not known yet.
  let position: AcceptedPosition?
  let heardAt: Instant
}

/// What this node knows of the drivers at work: where they are, when they were last heard from, what of their trails
/// is not durable yet. Presence is a copy of what is stored; nothing is decided by it alone.
///
/// Where other nodes serve the same drivers, it holds those whose sessions are on this node, and those of the cities that
/// this node matches: they are followed by what other nodes say and store.
///
/// Safe to share between threads.
final class Fleet: Sendable {
  struct Member: Sendable {
    let city: Identifier
    var presence: Presence
    /// The number of that presence: an older copy never replaces a newer one.
    var presenceVersion: Int64 = 0
    var assignment: Assignment?
    /// The state of the ride of `assignment`, and the ride's version in it.
    var rideState = RideState.unspecified
    var rideVersion: Int64 = 0
    /// Whether the driver reports to this node, as far as it knows.
    var isHere = false
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
  /// Whether other nodes serve drivers too.
  let isShared: Bool

  init(isShared: Bool = false) {
    self.isShared = isShared
  }

  /// Takes over a presence that became durable. A driver who comes online counts as heard from.
  func note(_ presence: PresenceRecord, assignment: Assignment?, now: Instant) {
    state.withLock { state in
      let driver = presence.driverID
      var member = state.members[driver] ?? Member(city: presence.cityID, presence: .offline, lastHeard: now)
      if member.presence == .offline { member.lastHeard = now }
      member.take(presence, assignment: assignment)
      state.members[driver] = member
      state.place(driver)
    }
  }

  /// Takes over the state of a ride that became durable.
  func note(_ ride: RideRecord, drivenBy driver: Identifier) {
    state.withLock { fleet in
      if fleet.members[driver]?.assignment?.ride == ride.id {
        fleet.members[driver]?.take(ride.state, version: ride.version)
      }
    }
  }

  /// The driver was heard from. False for one that is not in memory.
  @discardableResult
  func hear(_ driver: Identifier, now: Instant) -> Bool {
    state.withLock { state in
      guard var member = state.members[driver] else { return false }
      member.lastHeard = now
      // Elsewhere it is known by the checkpoint.
      if isShared { member.needsCheckpoint = true }
      state.members[driver] = member
      return true
    }
  }

  /// The drivers that were not heard from since an instant, by id: one for free drivers, one for those on the way to a
  /// pickup.
  /// - Parameter cities: only theirs; nil for all.
  func silent(freeSince free: Instant, onRideSince onRide: Instant, in cities: Set<Identifier>?) -> [Identifier] {
    state.withLock { state in
      state.members.filter { _, member in
        cities?.contains(member.city) != false && member.isSilent(freeSince: free, onRideSince: onRide)
      }.keys.sorted()
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

  /// Forgets drivers who were not heard from since an instant and have nothing that waits to be stored, if they are
  /// offline or of no business of this node.
  /// - Parameter cities: those whose drivers are this node's business though they report elsewhere; nil for all.
  func forget(unheardSince instant: Instant, exceptIn cities: Set<Identifier>?) {
    state.withLock { state in
      let forgotten = state.members.filter { _, member in
        guard member.lastHeard <= instant, !member.needsCheckpoint, member.trail.isEmpty else { return false }
        return member.presence == .offline || cities?.contains(member.city) == false
      }
      for (driver, member) in forgotten {
        state.members[driver] = nil
        state.indexes[member.city]?.remove(driver)
      }
    }
  }
}

extension Fleet.Member {
  /// Takes over a presence, unless a newer one is known.
  mutating func take(_ presence: PresenceRecord, assignment: Assignment?) {
    guard presence.version >= presenceVersion else { return }
    self.presence = presence.state
    presenceVersion = presence.version
    guard self.assignment != assignment else { return }
    self.assignment = assignment
    (rideState, rideVersion) = (.unspecified, 0)
    trail = []
    durableSequence = filter.last?.sequence ?? 0
  }

  /// Takes over the state of the ride, unless a newer one is known.
  mutating func take(_ state: RideState, version: Int64) {
    if version > rideVersion { (rideState, rideVersion) = (state, version) }
  }

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
