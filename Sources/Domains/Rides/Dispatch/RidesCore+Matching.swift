import Base
import DomainKit
import RidesAPI
import Storage

/// A ride that waits for a match, with the epoch in which it was read.
private struct SearchingRide: Sendable {
  let waiting: WaitingRide
  let epoch: Int64
}

extension RidesCore {
  /// One round for each city that this node matches: judges silent drivers, then offers the waiting rides to the best
  /// free drivers.
  /// - Returns: how many offers were made.
  @discardableResult
  func matchOnce() async throws -> Int {
    let cities = try await matchedCities()
    try await judgeSilence(in: owner == nil ? nil : Set(cities.map(\.id)))
    var offers = 0
    for city in cities {
      offers += try await attempt("city", city.id.text(kind: IDKind.city)) { try await match(city) }
    }
    return offers
  }

  /// The cities that this node matches, with their drivers as they are stored.
  private func matchedCities() async throws -> [MatchedCity] {
    let cities = try await kit.database.read { try $0.cities() }.map(\.id)
    guard let owner else { return cities.map { MatchedCity(id: $0, lease: nil, since: now) } }
    let matched = try await owner.round(cities)
    for city in matched { try await follow(city) }
    return matched
  }

  /// One part of a round: a city, ride or driver that cannot be dealt with does not keep the others from it.
  func attempt(_ kind: String, _ id: String, _ body: () async throws -> Int) async throws -> Int {
    do {
      return try await body()
    } catch let error as CancellationError {
      throw error
    } catch {
      kit.log.warning("rides_match_failed", [kind: .text(id), "error": .text(String(describing: error))])
      return 0
    }
  }

  private func match(_ matched: MatchedCity) async throws -> Int {
    let city = matched.id
    let now = now
    let limit = limits.matchedRides
    let (rides, idle) = try await kit.database.read { reader in
      let rides = try reader.searchingRides(inCity: city, now: now, limit: limit)
      return (rides, rides.isEmpty ? [] : try reader.idleDrivers(inCity: city, now: now))
    }
    if rides.isEmpty || idle.isEmpty { return 0 }
    let (index, heard) = fleet.snapshot(of: city, heardAfter: now - limits.silenceWhenFree)
    let matcher = Matcher(
      index: index,
      idleDrivers: Dictionary(uniqueKeysWithValues: idle.filter { heard.contains($0.id) }.map { ($0.id, $0) }))
    let matches = Dictionary(grouping: matcher.matches(for: rides.map(\.waiting), fanOut: limits.fanOut), by: \.ride)
    let chosen = rides.compactMap { ride in matches[ride.waiting.id].map { (ride: ride, drivers: $0) } }
    return try await withThrowingTaskGroup(of: Int.self) { group in
      var offers = 0
      for (index, match) in chosen.enumerated() {
        if index >= limits.offersAtOnce { offers += try await group.next() ?? 0 }
        group.addTask {
          let ride = match.ride
          return try await attempt("ride", ride.waiting.id.text(kind: IDKind.ride)) {
            try await kit.database.write { writer in
              // Who has lost the city makes no offers there any more.
              if let lease = matched.lease { try Leases.confirm(lease, by: kit.clock, in: writer) }
              return try makeOffers(ride.waiting.id, epoch: ride.epoch, to: match.drivers, in: writer)
            }
          }
        }
      }
      for try await made in group { offers += made }
      return offers
    }
  }
}

extension Reader {
  /// The rides of a city that look for a driver, oldest first.
  fileprivate func searchingRides(inCity city: Identifier, now: Instant, limit: Int) throws -> [SearchingRide] {
    let rides = try rows(
      """
      SELECT \(RideRecord.columns) FROM rides_rides WHERE city_id = $1 AND state = 3 AND search_ends_at > $2
      ORDER BY id LIMIT $3
      """, city, now, limit, make: RideRecord.init(row:))
    return try rides.compactMap { ride in
      guard let pickup = try quote(ride.quoteID)?.quote.stops.first.flatMap(Coordinate.init) else { return nil }
      let excluded: [Identifier] = try rows(
        "SELECT driver_id FROM rides_exclusions WHERE ride_id = $1", ride.id
      ) { $0[0] }
      let waiting = WaitingRide(
        id: ride.id, pickup: pickup, category: ride.category,
        waitS: max(0, (now - ride.requestedAt).inMilliseconds / 1000), excludedDrivers: Set(excluded))
      return SearchingRide(waiting: waiting, epoch: ride.epoch)
    }
  }

  /// The drivers of a city who are IDLE and may work.
  fileprivate func idleDrivers(inCity city: Identifier, now: Instant) throws -> [IdleDriver] {
    let documents = requiredDocuments.map { kind in
      """
      AND EXISTS (SELECT 1 FROM rides_documents x WHERE x.driver_id = p.driver_id AND x.kind = \(kind.rawValue)
        AND x.state = $5 AND x.expires_at > $4)
      """
    }
    return try rows(
      """
      SELECT p.driver_id, v.category, p.since FROM rides_presences p
      JOIN rides_drivers d ON d.id = p.driver_id JOIN rides_vehicles v ON v.driver_id = p.driver_id
      WHERE p.city_id = $1 AND p.state > 1 AND p.state = $2 AND d.state = $3 \(documents.joined(separator: " "))
      ORDER BY p.driver_id
      """, city, Presence.idle.rawValue, DriverState.active.rawValue, now, DocumentState.verified.rawValue
    ) { row in
      let since: Instant = row[2]
      return IdleDriver(id: row[0], category: row[1], idleS: max(0, (now - since).inMilliseconds / 1000))
    }
  }
}
