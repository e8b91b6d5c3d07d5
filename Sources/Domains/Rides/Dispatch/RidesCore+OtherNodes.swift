import Base
import DomainKit
import RidesAPI
import Storage
import Streaming

/// What other nodes do to the rides and drivers that this one has in memory. The bus tells it sooner or not at all; what
/// is read here makes it right.
extension RidesCore {
  /// Looks what other nodes have stored of the drivers who report here and of the rides that are tracked here.
  func followOtherNodes() async throws {
    try await follow(fleet.here(heardAfter: now - limits.silenceOnRide))
    try await followTracks()
    try await followSessions()
  }

  /// A driver's session begins.
  /// - Returns: its number, which is higher than those of the sessions before, on whichever node they are.
  func beginSession(of driver: Identifier) async throws -> Identifier {
    let id = kit.identifiers.next()
    guard owner != nil else { return id }
    return try await kit.database.write { try $0.beginSession(id, of: driver) }
  }

  /// Ends the sessions on this node whose drivers have begun a newer one elsewhere, if nothing has told of it, and makes
  /// the trails durable that another node waits for.
  private func followSessions() async throws {
    let drivers = sessions.readTopics.compactMap(driver(of:))
    guard !drivers.isEmpty else { return }
    for stored in try await kit.database.read({ try $0.newestSessions(of: drivers) }) {
      sessions.take(driverTopic(stored.driver), stored.session)
      try await answer(stored)
    }
  }

  /// Makes the trail of a driver who has a session here durable, if another node waits for that.
  func answerWishes(forTrailOf driver: Identifier) async throws {
    for stored in try await kit.database.read({ try $0.newestSessions(of: [driver]) }) { try await answer(stored) }
  }

  private func answer(_ stored: StoredSession) async throws {
    guard stored.flushWanted > stored.flushed else { return }
    try await flushTrails(of: stored.driver)
    try await kit.database.write { try $0.noteFlush(of: stored.driver, upTo: stored.flushWanted) }
  }

  /// Has the node of a driver's session make the trail durable, if that is another node, and waits for it. The wish is in
  /// the database; the bus only tells of it.
  func flushTrailElsewhere(of driver: Identifier) async throws {
    let topic = driverTopic(driver)
    guard owner != nil, sessions.newest(topic) == nil else { return }
    let heardAfter = now - limits.checkpointInterval * 3
    let wish = try await kit.database.write { try $0.askForFlush(of: driver, heardAfter: heardAfter) }
    guard let wish else { return }
    wishes.update(topic, wish)
    // The other node's time, not that of the data.
    let end = ContinuousClock.now + limits.flushWait
    while try await kit.database.read({ try $0.flushed(of: driver) }) < wish, ContinuousClock.now < end {
      try await Task.sleep(for: Self.flushPause)
    }
  }

  /// Between two looks for the answer to a wish.
  private static let flushPause: Duration = .milliseconds(25)

  /// Looks what other nodes have stored of drivers who report here.
  func follow(_ drivers: [Identifier]) async throws {
    guard !drivers.isEmpty else { return }
    for member in try await kit.database.read({ try $0.storedMembers(drivers) }) {
      fleet.follow(member, since: Instant(nanoseconds: .min))
    }
  }

  /// Looks what other nodes have stored of the drivers of a city that this node matches.
  func follow(_ city: MatchedCity) async throws {
    for member in try await kit.database.read({ try $0.storedMembers(inCity: city.id) }) {
      fleet.follow(member, since: city.since)
    }
  }

  /// Shows those who track rides here what is stored, also that a ride is over.
  private func followTracks() async throws {
    let rides = tracks.readTopics.compactMap(ride(of:))
    guard !rides.isEmpty else { return }
    for (ride, point) in try await kit.database.read({ try $0.trackPoints(of: rides) }) {
      if point.state.isLive {
        tracks.take(trackTopic(ride), point)
      } else {
        tracks.takeEnd(trackTopic(ride))
      }
    }
  }

  /// Where a ride stands and its driver is, as far as this node can know.
  func newestTrackPoint(of ride: RideRecord, in reader: any Reader) throws -> TrackPoint {
    let known = trackPoint(of: ride)
    guard owner != nil, let stored = try reader.trackPoints(of: [ride.id]).first?.point else { return known }
    return known.merged(with: stored) ?? known
  }
}
