import Base
import DomainKit
import Storage
import Streaming

/// A city that this node matches.
struct MatchedCity: Sendable {
  let id: Identifier
  /// Nil if there is no other node.
  let lease: Lease?
  /// Since when this node has matched it without a gap.
  let since: Instant
}

/// Which cities this node matches, where several share them, and what the nodes tell each other of drivers who report to
/// one node and are matched by another.
///
/// Safe to share between threads, but there is one round at a time.
final class CityOwner: Sendable {
  private let ownership: Ownership
  private let bus: (any MessageBus)?
  private let seal: BusSeal
  private let fleet: Fleet
  private let clock: any WallClock
  private let log: Log
  /// By city that this node matches: the subscription to what other nodes say of its drivers, if there is a bus.
  private let cities = Locked<[Identifier: BusSubscription?]>([:])

  init(_ others: OtherNodes, kit: Kit, fleet: Fleet, lifetime: Duration) {
    ownership = others.ownership(of: "rides/city", lifetime: lifetime)
    bus = others.bus
    seal = BusSeal(key: kit.keys.derived(for: "rides driver reports 1"))
    self.fleet = fleet
    clock = kit.clock
    log = kit.log
  }

  /// Takes this node's part of the cities.
  func round(_ all: [Identifier]) async throws -> [MatchedCity] {
    let ids = Dictionary(uniqueKeysWithValues: all.map { ($0.text(kind: IDKind.city), $0) })
    let owned = try await ownership.round(all.map { $0.text(kind: IDKind.city) })
    let matched = owned.compactMap { owned in
      ids[owned.thing].map { MatchedCity(id: $0, lease: owned.lease, since: owned.since) }
    }
    let known = Set(cities.withLock { $0.keys })
    for city in matched where !known.contains(city.id) {
      let subscription = listen(to: city.id)
      cities.withLock { $0[city.id] = .some(subscription) }
      log.info(
        "rides_city_taken",
        ["city": .text(city.id.text(kind: IDKind.city)), "fence": .integer(city.lease?.fence ?? 0)])
    }
    for city in known.subtracting(matched.map(\.id)) {
      cities.withLock { $0[city] = nil }
      log.info("rides_city_left", ["city": .text(city.text(kind: IDKind.city))])
    }
    return matched
  }

  /// The lease under which this node matches a city now; nil if it does not.
  func lease(of city: Identifier) -> Lease? {
    ownership.owned(city.text(kind: IDKind.city))?.lease
  }

  /// The cities that this node matched in the last round.
  var matched: Set<Identifier> { Set(cities.withLock { $0.keys }) }

  /// Gives all cities up.
  func leave() async throws {
    cities.withLock { $0 = [:] }
    try await ownership.releaseAll()
  }

  /// Tells the node that matches a city of a driver who reports here, unless that is this one.
  func tell(_ report: DriverReport, city: Identifier) {
    guard let bus, lease(of: city) == nil else { return }
    bus.publish(Self.subject(city), seal.seal(report.encoded()))
  }

  private func listen(to city: Identifier) -> BusSubscription? {
    bus?.subscribe(Self.subject(city)) { [fleet, clock, seal] message in
      guard let report = seal.open(message).flatMap(DriverReport.init(decoding:)) else { return }
      fleet.take(report, city: city, now: clock.now())
    }
  }

  /// One subject for each city: its drivers' positions go to the node that needs them alone.
  static func subject(_ city: Identifier) -> String {
    "octet.rides." + city.text(kind: IDKind.city)
  }
}
