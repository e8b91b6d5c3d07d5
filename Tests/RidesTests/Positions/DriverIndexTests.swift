import Base
import Testing

@testable import Rides

@Suite struct DriverIndexTests {
  @Test(arguments: [
    (60.17, 24.94), (90, 0), (-90, 0), (0, 180), (-17.0, -180), (45, 90), (35.2643896827, 45), (0, 45),
  ])
  func `finds what looking at everyone finds`(latitude: Double, longitude: Double) {
    let random = SeededRandomSource(seed: 10)
    let centre = Coordinate.at(latitude, longitude)
    for count in [0, 5, 30, 800] {
      var index = DriverIndex()
      var places: [Identifier: Coordinate] = [:]
      for number in 0..<Int64(count) {
        let driver = Identifier(rawValue: number)
        // A few stand at the very same place, so that the id decides.
        let place = number % 7 == 0 ? centre : random.place(within: 12_000, of: centre)
        places[driver] = place
        index.place(driver, at: place)
      }
      for _ in 0..<5 {
        let place = random.place(within: 9_000, of: centre)
        #expect(index.nearest(to: place).map(\.driver) == everyone(places, near: place) { _ in true })
        let isOdd = { (driver: Identifier) in driver.rawValue % 2 == 1 }
        #expect(index.nearest(to: place, where: isOdd).map(\.driver) == everyone(places, near: place, where: isOdd))
      }
    }
  }

  private func everyone(
    _ places: [Identifier: Coordinate], near place: Coordinate, where matches: (Identifier) -> Bool
  ) -> [Identifier] {
    places.filter { matches($0.key) }
      .map { (distance: place.distance(to: $0.value), driver: $0.key) }
      .filter { $0.distance <= 8_000 }
      .sorted { $0 < $1 }
      .prefix(20).map(\.driver)
  }

  @Test func `who left is found no more, and others stay where they are`() {
    let random = SeededRandomSource(seed: 11)
    let centre = Coordinate.at(60.17, 24.94)
    var index = DriverIndex()
    var places: [Identifier: Coordinate] = [:]
    for _ in 0..<5_000 {
      let driver = Identifier(rawValue: Int64(random.below(60)))
      if random.below(3) == 0 {
        index.remove(driver)
        places[driver] = nil
      } else {
        places[driver] = random.place(within: 3_000, of: centre)
        places[driver].map { index.place(driver, at: $0) }
      }
    }
    #expect(index.count == places.count)
    for number in 0..<60 as Range<Int64> {
      let driver = Identifier(rawValue: number)
      #expect(index.coordinate(of: driver) == places[driver])
      #expect(index.cell(of: driver) == places[driver].map { CellID($0, level: DriverIndex.cellLevel) })
    }
    #expect(index.nearest(to: centre, limit: 100).count == places.count)
  }

  /// Invariant 4 and acceptance 4 of the rides specification.
  @Test(arguments: 1...10)
  func `invariant 4: one cell, that of the last accepted position, however positions arrive`(seed: Int) throws {
    let random = SeededRandomSource(seed: UInt64(seed))
    let drivers = (1...5).map { Identifier(rawValue: $0) }
    var filters: [Identifier: PositionFilter] = [:]
    var index = DriverIndex()
    var accepted = 0
    let start = Instant(seconds: 1_767_225_600)
    for (driver, reading, arrival) in hostileReadings(of: drivers, random: random) {
      let before = filters[driver]?.last
      let outcome = try? filters[driver, default: PositionFilter()].admit(reading, now: start + arrival)
      guard case .accepted(let position, _)? = outcome else {
        #expect(filters[driver]?.last == before)
        continue
      }
      accepted += 1
      index.place(driver, at: position.coordinate)
      if let before {
        #expect(position.sequence > before.sequence && position.time > before.time)
        #expect(before.coordinate.distance(to: position.coordinate) < 25_000, "the jump of 50 km is not shown")
      }
      #expect(position.time <= start + arrival, "nothing is accepted from the future")
      // Exactly one cell: a search finds the driver once.
      if accepted % 20 == 0 {
        #expect(index.nearest(to: position.coordinate).count { $0.driver == driver } == 1)
      }
      for driver in drivers {
        #expect(index.cell(of: driver) == filters[driver]?.last.map { CellID($0.coordinate, level: 13) })
      }
    }
    #expect(accepted > 100)
    #expect(index.count == drivers.count)
  }

  /// Drives through a city, then shuffled nearby, doubled, set in the future, and with single jumps of 50 km.
  private func hostileReadings(
    of drivers: [Identifier], random: SeededRandomSource
  ) -> [(Identifier, PositionReading, Duration)] {
    var readings: [(driver: Identifier, reading: PositionReading, arrival: Duration)] = []
    for driver in drivers {
      var place = random.place(within: 3_000, of: .at(60.17, 24.94))
      for step in 1...100 as ClosedRange<Int64> {
        place = place.moved(metres: random.number(in: 0...60), bearingDegrees: random.number(in: 0...360))
        let jumps = step % 10 == 5
        let shown = jumps ? place.moved(metres: 50_000, bearingDegrees: random.number(in: 0...360)) : place
        let isInTheFuture = random.below(10) == 0
        let reading = PositionReading(
          sequence: step, ageMilliseconds: isInTheFuture ? -5_000 : random.integer(in: 0...900),
          latitude: shown.latitude, longitude: shown.longitude, accuracyMetres: 10)
        for _ in 0..<(1 + random.below(2)) {
          readings.append((driver, reading, .milliseconds(step * 4_000 + random.integer(in: 0...9_000))))
        }
      }
    }
    return readings.sorted { $0.arrival < $1.arrival }
  }
}
