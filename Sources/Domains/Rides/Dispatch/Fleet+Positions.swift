import Base
import RidesAPI

/// What became of a report of positions.
struct PositionVerdict: Sendable {
  /// The newest position that was accepted; nil if none was.
  var newest: AcceptedPosition?
  var refused: [(sequence: Int64, error: RidesError)] = []
  /// The ride that the positions belong to.
  var assignment: Assignment?
  var rideState = RideState.unspecified
  var rideVersion: Int64 = 0
  var presence = Presence.offline
  var presenceVersion: Int64 = 0
  var acceptedSequence: Int64 = 0
  var durableSequence: Int64 = 0
  /// How many points of the trail wait to become durable.
  var waiting = 0
}

extension Fleet {
  /// Judges the positions of one report, in order. Accepted ones move the driver in the index, and on a ride join the
  /// trail.
  func report(_ readings: [PositionReading], by driver: Identifier, city: Identifier, now: Instant) -> PositionVerdict {
    state.withLock { state in
      var member = state.members[driver] ?? Member(city: city, presence: .offline, lastHeard: now)
      member.lastHeard = now
      member.isHere = true
      if isShared { member.needsCheckpoint = true }
      var verdict = PositionVerdict()
      for reading in readings {
        do throws(PositionRefusal) {
          switch try member.filter.admit(reading, now: now) {
          case .accepted(let position, let replacesPrevious):
            verdict.newest = position
            member.accept(position, replacesPrevious: replacesPrevious)
          case .keptAside: break
          }
        } catch {
          verdict.refused.append((reading.sequence, RidesError(error)))
        }
      }
      verdict.assignment = member.assignment
      verdict.rideState = member.rideState
      verdict.rideVersion = member.rideVersion
      verdict.presence = member.presence
      verdict.presenceVersion = member.presenceVersion
      verdict.acceptedSequence = member.filter.last?.sequence ?? 0
      verdict.durableSequence = member.assignment == nil ? 0 : member.durableSequence
      verdict.waiting = member.trail.count
      state.members[driver] = member
      if verdict.newest != nil { state.place(driver) }
      return verdict
    }
  }

  /// The points that wait to become durable: of one driver, or of all. They wait until `noteDurable`: two who store the
  /// same ones do no harm, but a receipt must not miss those that somebody else is just storing.
  func waitingTrails(of driver: Identifier? = nil) -> [TrailBatch] {
    state.withLock { state in
      var batches: [TrailBatch] = []
      for id in driver.map({ [$0] }) ?? state.members.keys.sorted() {
        guard let member = state.members[id], let assignment = member.assignment, !member.trail.isEmpty else {
          continue
        }
        batches.append(TrailBatch(driver: id, assignment: assignment, points: member.trail))
      }
      return batches
    }
  }

  /// The points of a batch are durable. Returns the durable sequence, nil if the driver is on another ride by now.
  func noteDurable(_ batch: TrailBatch) -> Int64? {
    state.withLock { state in
      guard let last = batch.points.last, var member = state.members[batch.driver],
        member.assignment == batch.assignment
      else { return nil }
      member.durableSequence = max(member.durableSequence, last.sequence)
      member.trail.removeAll { $0.sequence <= last.sequence }
      state.members[batch.driver] = member
      return member.durableSequence
    }
  }

  /// The accepted and the durable sequence of a driver.
  func sequences(of driver: Identifier) -> (accepted: Int64, durable: Int64) {
    state.withLock { state in
      guard let member = state.members[driver] else { return (0, 0) }
      return (member.filter.last?.sequence ?? 0, member.assignment == nil ? 0 : member.durableSequence)
    }
  }

  /// The drivers who moved, or where others must know it were heard from, since the last checkpoint, which this call is.
  func takeCheckpoint() -> [DriverCheckpoint] {
    state.withLock { state in
      var result: [DriverCheckpoint] = []
      for (id, member) in state.members where member.needsCheckpoint {
        if member.filter.last != nil || isShared {
          result.append(DriverCheckpoint(driver: id, position: member.filter.last, heardAt: member.lastHeard))
        }
        state.members[id]?.needsCheckpoint = false
      }
      return result.sorted { $0.driver < $1.driver }
    }
  }

  /// A checkpoint of these drivers could not be stored: the next one is to have them.
  func missedCheckpoint(of drivers: [Identifier]) {
    state.withLock { state in
      for driver in drivers { state.members[driver]?.needsCheckpoint = true }
    }
  }
}

extension Fleet.Member {
  fileprivate mutating func accept(_ position: AcceptedPosition, replacesPrevious: Bool) {
    needsCheckpoint = true
    guard assignment != nil else { return }
    // At more than two a second the newest counts; the one before gives way unless it is stored already.
    if replacesPrevious, !trail.isEmpty { trail.removeLast() }
    trail.append(position)
  }
}

extension RidesError {
  init(_ refusal: PositionRefusal) {
    switch refusal {
    case .old: self = .positionOld
    case .rejected(let fields):
      self = .positionRejected(
        fields.map { field in
          switch field {
          case .age: "age_ms"
          case .latitude: "latitude"
          case .longitude: "longitude"
          case .accuracy: "accuracy_m"
          }
        })
    }
  }
}
