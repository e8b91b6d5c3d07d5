import Base
import Testing

@testable import Rides

@Suite struct CoordinateTests {
  @Test func `names each component that is out of range or not a number`() {
    #expect(throws: CoordinateError(latitudeIsBad: true, longitudeIsBad: false)) {
      try Coordinate(latitude: 91, longitude: 0)
    }
    #expect(throws: CoordinateError(latitudeIsBad: false, longitudeIsBad: true)) {
      try Coordinate(latitude: 0, longitude: .nan)
    }
    #expect(throws: CoordinateError(latitudeIsBad: true, longitudeIsBad: true)) {
      try Coordinate(latitude: -.infinity, longitude: 180.000001)
    }
  }

  @Test func `takes the poles and both ends of longitude`() throws {
    for latitude in [-90.0, 90.0] {
      for longitude in [-180.0, 180.0] {
        _ = try Coordinate(latitude: latitude, longitude: longitude)
      }
    }
  }

  @Test func `measures known distances`() {
    let quarter = Coordinate.earthRadiusMetres * Double.pi / 2
    #expect(abs(Coordinate.at(0, 0).distance(to: .at(90, 77)) - quarter) < 1e-6)
    #expect(abs(Coordinate.at(0, 0).distance(to: .at(0, 180)) - 2 * quarter) < 1e-6)
    #expect(Coordinate.at(12, -180).distance(to: .at(12, 180)) < 1e-6)
    // Helsinki to Tallinn.
    #expect(abs(Coordinate.at(60.1699, 24.9384).distance(to: .at(59.4370, 24.7536)) - 82_145) < 100)
  }

  @Test func `distance is symmetric and agrees with a step of that length`() {
    let random = SeededRandomSource(seed: 1)
    for _ in 0..<2_000 {
      let start = random.place()
      let metres = random.number(in: 0.1...20_000)
      let end = start.moved(metres: metres, bearingDegrees: random.number(in: 0...360))
      #expect(abs(start.distance(to: end) - metres) < 1e-3)
      #expect(abs(start.distance(to: end) - end.distance(to: start)) < 1e-6)
    }
  }

  @Test func `without a map a way is 1.35 straight lines at 8 metres per second`() {
    let start = Coordinate.at(60, 25)
    let end = start.moved(metres: 8_000, bearingDegrees: 30)
    let estimate = StraightLineRoute.estimate(through: [start, end, start])
    #expect(estimate == RouteEstimate(distanceM: 21_600, durationS: 2_700))
    #expect(StraightLineRoute.estimate(through: [start]) == RouteEstimate(distanceM: 0, durationS: 0))
    #expect(StraightLineRoute.secondsToArrival(from: start, to: end) == 1_350)
  }
}
