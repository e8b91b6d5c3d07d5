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

  /// Ends the sessions on this node whose drivers have begun a newer one elsewhere, if nothing has told of it.
  private func followSessions() async throws {
    let drivers = sessions.readTopics.compactMap(driver(of:))
    guard !drivers.isEmpty else { return }
    for (driver, session) in try await kit.database.read({ try $0.newestSessions(of: drivers) }) {
      sessions.take(driverTopic(driver), session)
    }
  }

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
