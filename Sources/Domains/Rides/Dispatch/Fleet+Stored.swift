import Base
import RidesAPI

/// What is stored of a driver at work.
struct StoredMember: Sendable {
  let presence: PresenceRecord
  let assignment: Assignment?
  /// The state of the ride of `assignment`, and the ride's version in it.
  let rideState: RideState
  let rideVersion: Int64
  /// The position of the last checkpoint, and when the driver was last heard from by then.
  let checkpoint: AcceptedPosition?
  let heardAt: Instant
  /// The last point of the trail of `assignment`, where it was asked for.
  var trailEnd: AcceptedPosition?
}

extension Fleet {
  /// A driver's session begins on this node, or the drivers are taken up after a start: positions go on after the last
  /// one that is known, and the time of silence begins anew.
  func connect(_ stored: StoredMember, now: Instant) {
    change(stored, lastHeard: now) { member in
      member.lastHeard = now
      member.resume(after: stored)
    }
  }

  /// Takes over what other nodes may have stored of a driver.
  /// - Parameter instant: since when this node judges the driver's silence, which counts from then on.
  func follow(_ stored: StoredMember, since instant: Instant) {
    // One who comes online counts as heard from.
    change(stored, lastHeard: stored.presence.since) { member in
      member.lastHeard = max(member.lastHeard, stored.heardAt, instant)
      if let position = stored.checkpoint { member.follow(position) }
    }
  }

  private func change(_ stored: StoredMember, lastHeard: Instant, _ body: (inout Member) -> Void) {
    state.withLock { state in
      let driver = stored.presence.driverID
      var member =
        state.members[driver] ?? Member(city: stored.presence.cityID, presence: .offline, lastHeard: lastHeard)
      member.take(stored.presence, assignment: stored.assignment)
      if let assignment = stored.assignment, assignment == member.assignment {
        member.take(stored.rideState, version: stored.rideVersion)
      }
      body(&member)
      state.members[driver] = member
      state.place(driver)
    }
  }

  /// Takes in what another node has heard from a driver.
  func take(_ report: DriverReport, city: Identifier, now: Instant) {
    state.withLock { state in
      var member = state.members[report.driver] ?? Member(city: city, presence: .offline, lastHeard: now)
      member.lastHeard = now
      if !member.isHere, report.presenceVersion > member.presenceVersion {
        (member.presence, member.presenceVersion) = (report.presence, report.presenceVersion)
      }
      if let position = report.position { member.follow(position) }
      state.members[report.driver] = member
      state.place(report.driver)
    }
  }

  /// The driver was heard from elsewhere.
  func hear(_ driver: Identifier, elsewhereAt instant: Instant) {
    state.withLock { state in
      guard let known = state.members[driver]?.lastHeard else { return }
      state.members[driver]?.lastHeard = max(known, instant)
    }
  }

  /// The drivers who report to this node and were heard from after an instant, by id.
  func here(heardAfter instant: Instant) -> [Identifier] {
    state.withLock { state in state.members.filter { $0.value.isHere && $0.value.lastHeard > instant }.keys.sorted() }
  }
}

extension Fleet.Member {
  /// The driver reports to this node from now on.
  fileprivate mutating func resume(after stored: StoredMember) {
    let wasHere = isHere
    isHere = true
    // What waits here is newer than what is stored.
    guard trail.isEmpty else { return }
    guard assignment != nil, assignment == stored.assignment else {
      if let last = stored.checkpoint, last.sequence > filter.last?.sequence ?? 0 {
        filter = PositionFilter(resumingAfter: last)
      }
      return
    }
    // On a ride the trail decides: what came after its last point has to be sent again. A checkpoint may be newer.
    if let end = stored.trailEnd {
      if wasHere, end.sequence <= durableSequence { return }
      filter = PositionFilter(resumingAfter: end)
      durableSequence = end.sequence
    } else if !wasHere {
      filter = PositionFilter()
      durableSequence = 0
    }
  }

  /// The driver was somewhere by what another node says. Of one on a ride who reports to this node, what it has itself
  /// counts: it decides from where on the phone sends again.
  fileprivate mutating func follow(_ position: AcceptedPosition) {
    guard position.sequence > filter.last?.sequence ?? 0, !isHere || assignment == nil else { return }
    filter = PositionFilter(resumingAfter: position)
    isHere = false
  }
}
