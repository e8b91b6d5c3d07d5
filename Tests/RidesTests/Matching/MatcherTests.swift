import Base
import Testing

@testable import Rides

@Suite struct MatcherTests {
  private let centre = Coordinate.at(60.17, 24.94)

  private func ride(
    _ id: Int64, at pickup: Coordinate, category: String = "economy", waitS: Int64 = 0, excluded: Set<Identifier> = []
  ) -> WaitingRide {
    WaitingRide(
      id: Identifier(rawValue: id), pickup: pickup, category: category, waitS: waitS, excludedDrivers: excluded)
  }

  private func matcher(_ drivers: [(id: Int64, place: Coordinate, category: String, idleS: Int64)]) -> Matcher {
    var index = DriverIndex()
    var idle: [Identifier: IdleDriver] = [:]
    for driver in drivers {
      let id = Identifier(rawValue: driver.id)
      index.place(id, at: driver.place)
      idle[id] = IdleDriver(id: id, category: driver.category, idleS: driver.idleS)
    }
    return Matcher(index: index, idleDrivers: idle)
  }

  private func pairs(_ matches: [MatchCandidate]) -> [[Int64]] {
    matches.map { [$0.ride.rawValue, $0.driver.rawValue] }
  }

  private func east(_ metres: Double) -> Coordinate { centre.moved(metres: metres, bearingDegrees: 90) }

  @Test func `the cost is driving less waiting less idling, both capped`() {
    let driver = IdleDriver(id: Identifier(rawValue: 2), category: "economy", idleS: 100)
    let fresh = MatchCandidate(ride: ride(1, at: centre, waitS: 10), driver: driver, etaS: 60)
    #expect(fresh.cost == 6_000 - 500 - 200)
    let idler = IdleDriver(id: Identifier(rawValue: 2), category: "economy", idleS: 999_999)
    let old = MatchCandidate(ride: ride(1, at: centre, waitS: 999_999), driver: idler, etaS: 900)
    #expect(old.cost == 90_000 - 6_000 - 3_600)
    #expect(old.cost < MatchCandidate.unmatchedCost)
  }

  @Test func `all rides together drive least, though one of them drives more than it could`() {
    // Ride 1 is nearest to driver 11, but then ride 2 would wait for driver 12 far away.
    let matcher = matcher([(11, east(500), "economy", 0), (12, east(-700), "economy", 0)])
    let rides = [ride(1, at: east(0)), ride(2, at: east(1_000))]
    #expect(pairs(matcher.matches(for: rides)) == [[1, 12], [2, 11]])
  }

  @Test func `category, exclusions, busy drivers and the longest way are respected`() {
    var matcher = matcher([
      (11, east(100), "luxury", 0), (12, east(200), "economy", 0), (13, east(300), "economy", 0),
      (14, east(5_400), "economy", 0),
    ])
    let excluding = ride(1, at: centre, excluded: [Identifier(rawValue: 12)])
    #expect(pairs(matcher.candidates(for: excluding)) == [[1, 13]], "5,400 m take more than 15 minutes")
    matcher = Matcher(
      index: matcher.index, idleDrivers: matcher.idleDrivers.filter { $0.key.rawValue != 13 })
    #expect(matcher.matches(for: [excluding]).isEmpty)
    matcher.secondsToArrival = { _, _ in nil }
    #expect(matcher.matches(for: [ride(1, at: centre)]).isEmpty, "no way, no match")
  }

  @Test func `a ride has at most 20 candidates, the nearest`() {
    let matcher = matcher((1...50).map { (100 + $0, east(Double($0) * 20), "economy", 0) })
    #expect(matcher.candidates(for: ride(1, at: centre)).map(\.driver.rawValue) == Array(101...120))
  }

  @Test func `with fan-out each ride has its first driver before any has a second`() {
    let matcher = matcher((1...5).map { (10 + $0, east(Double($0) * 100), "economy", 0) })
    let matches = matcher.matches(for: [ride(1, at: centre), ride(2, at: centre)], fanOut: 3)
    #expect(matches.map(\.ride.rawValue) == [1, 1, 1, 2, 2] || matches.map(\.ride.rawValue) == [1, 1, 2, 2, 2])
    #expect(Set(matches.map(\.driver)).count == 5)
    for id in [1, 2] as [Int64] {
      let etas = matches.filter { $0.ride.rawValue == id }.map(\.etaS)
      #expect(etas == etas.sorted(), "best first")
    }
  }

  @Test(arguments: 1...10)
  func `equal input gives equal output in any order`(seed: Int) {
    let random = SeededRandomSource(seed: UInt64(seed))
    // On a coarse grid, so that many costs are equal.
    func gridPlace() -> Coordinate {
      .at(60.17 + Double(random.below(5)) * 0.005, 24.94 + Double(random.below(5)) * 0.01)
    }
    let drivers = (0..<40 as Range<Int64>).map {
      (id: 100 + $0, place: gridPlace(), category: "economy", idleS: Int64(0))
    }
    let rides = (0..<40 as Range<Int64>).map { ride($0, at: gridPlace()) }
    let expected = matcher(drivers).matches(for: rides, fanOut: 2)
    #expect(expected.count == 40)
    for _ in 0..<5 {
      let again = matcher(random.shuffled(drivers)).matches(for: random.shuffled(rides), fanOut: 2)
      #expect(again == expected)
    }
  }

  @Test func `above the limit of pairs the cheapest go first`() {
    let random = SeededRandomSource(seed: 30)
    let drivers = (0..<600 as Range<Int64>).map { IdleDriver(id: Identifier(rawValue: $0), category: "", idleS: 0) }
    var candidates: [MatchCandidate] = []
    for id in 0..<600 as Range<Int64> {
      let ride = ride(id, at: centre)
      for offset in 0..<3 as Range<Int64> {
        candidates.append(
          MatchCandidate(ride: ride, driver: drivers[Int((id + offset) % 600)], etaS: random.integer(in: 0...900)))
      }
    }
    let chosen = Matcher.assign(candidates)
    #expect(chosen == Matcher.greedy(candidates).sorted { $0.ride < $1.ride })
    #expect(chosen == Matcher.assign(random.shuffled(candidates)))
    #expect(Set(chosen.map(\.ride)).count == chosen.count && Set(chosen.map(\.driver)).count == chosen.count)
    // Each candidate that was passed over lost its ride or its driver to one that is no worse.
    let byRide = Dictionary(uniqueKeysWithValues: chosen.map { ($0.ride, $0.cost) })
    let byDriver = Dictionary(uniqueKeysWithValues: chosen.map { ($0.driver, $0.cost) })
    #expect(candidates.allSatisfy { min(byRide[$0.ride] ?? .max, byDriver[$0.driver] ?? .max) <= $0.cost })
  }
}
