import Base
import Testing

@testable import Rides

@Suite struct PositionFilterTests {
  private let start = Instant(seconds: 1_767_225_600)
  private let home = Coordinate.at(60.17, 24.94)

  private func reading(
    _ sequence: Int64, at coordinate: Coordinate, age: Int64 = 0, accuracy: Double = 5, speed: Double? = nil
  ) -> PositionReading {
    PositionReading(
      sequence: sequence, ageMilliseconds: age, latitude: coordinate.latitude, longitude: coordinate.longitude,
      accuracyMetres: accuracy, speedMetresPerSecond: speed)
  }

  private func time(_ seconds: Double) -> Instant { start + .milliseconds(Int64(seconds * 1000)) }

  private func east(_ metres: Double) -> Coordinate { home.moved(metres: metres, bearingDegrees: 90) }

  @Test func `the time of a position is now minus its age`() throws {
    var filter = PositionFilter()
    _ = try filter.admit(reading(1, at: home, age: 60_000, speed: -1), now: start)
    #expect(filter.last?.time == start - .seconds(60))
    #expect(filter.last?.coordinate == home)
    #expect(filter.last?.speedMetresPerSecond == nil)
  }

  @Test func `names every field that is out of range`() {
    var filter = PositionFilter()
    let bad = PositionReading(
      sequence: 1, ageMilliseconds: -1, latitude: 91, longitude: .nan, accuracyMetres: 100.1)
    #expect(throws: PositionRefusal.rejected([.age, .latitude, .longitude, .accuracy])) {
      try filter.admit(bad, now: start)
    }
    for (age, accuracy, fields) in [
      (60_001, 5, [.age]), (0, .nan, [.accuracy]), (0, -1, [.accuracy]), (0, .infinity, [.accuracy]),
    ] as [(Int64, Double, [PositionField])] {
      #expect(throws: PositionRefusal.rejected(fields)) {
        try filter.admit(reading(1, at: home, age: age, accuracy: accuracy), now: start)
      }
    }
    #expect(filter == PositionFilter(), "a refused reading leaves no trace")
  }

  @Test func `refuses what is not newer in sequence and in time`() throws {
    var filter = PositionFilter()
    #expect(throws: PositionRefusal.old) { try filter.admit(reading(0, at: home), now: start) }
    _ = try filter.admit(reading(5, at: home), now: time(10))
    for (sequence, age) in [(5, 0), (4, 0), (6, 10_000), (6, 10_001)] as [(Int64, Int64)] {
      #expect(throws: PositionRefusal.old) {
        try filter.admit(reading(sequence, at: home, age: age), now: time(20))
      }
    }
    _ = try filter.admit(reading(6, at: home, age: 9_999), now: time(20))
  }

  @Test func `goes on from a checkpoint`() throws {
    var filter = PositionFilter()
    _ = try filter.admit(reading(5, at: home), now: start)
    var resumed = PositionFilter(resumingAfter: filter.last)
    #expect(throws: PositionRefusal.old) { try resumed.admit(reading(5, at: home), now: time(1)) }
    _ = try resumed.admit(reading(6, at: home), now: time(1))
  }

  @Test func `a jump is not shown, and forgotten when the next point disagrees`() throws {
    var filter = PositionFilter()
    _ = try filter.admit(reading(1, at: home), now: time(0))
    #expect(try filter.admit(reading(2, at: east(50_000)), now: time(4)) == .keptAside)
    #expect(filter.last?.sequence == 1)
    _ = try filter.admit(reading(3, at: east(40)), now: time(8))
    #expect(filter.last?.sequence == 3)
    #expect(try filter.admit(reading(4, at: east(50_000)), now: time(12)) == .keptAside)
  }

  @Test func `a jump is believed when the next point agrees`() throws {
    var filter = PositionFilter()
    _ = try filter.admit(reading(1, at: home), now: time(0))
    _ = try filter.admit(reading(2, at: east(50_000)), now: time(4))
    #expect(try filter.admit(reading(3, at: east(90_000)), now: time(8)) == .keptAside)
    _ = try filter.admit(reading(4, at: east(90_100)), now: time(12))
    #expect(filter.last?.sequence == 4)
  }

  @Test func `a jump is not confirmed by its own repetition`() throws {
    var filter = PositionFilter()
    _ = try filter.admit(reading(1, at: home), now: time(0))
    _ = try filter.admit(reading(2, at: east(50_000)), now: time(4))
    #expect(throws: PositionRefusal.old) { try filter.admit(reading(2, at: east(50_000)), now: time(5)) }
    #expect(throws: PositionRefusal.old) { try filter.admit(reading(3, at: east(50_000), age: 1_000), now: time(5)) }
    #expect(filter.last?.sequence == 1)
  }

  @Test func `takes 70 metres per second and no more`() throws {
    for (metres, isTaken) in [(699.9, true), (700.1, false)] {
      var filter = PositionFilter()
      _ = try filter.admit(reading(1, at: home), now: time(0))
      let outcome = try filter.admit(reading(2, at: east(metres)), now: time(10))
      #expect((outcome != .keptAside) == isTaken)
    }
  }

  @Test func `above two a second the newest replaces the one before`() throws {
    var filter = PositionFilter()
    var trail: [AcceptedPosition] = []
    for step in 0..<50 {
      let outcome = try filter.admit(reading(Int64(step + 1), at: east(Double(step))), now: time(Double(step) / 10))
      guard case .accepted(let position, let replacesPrevious) = outcome else { continue }
      if replacesPrevious { trail.removeLast() }
      trail.append(position)
      #expect(filter.last == position, "the newest is known at once")
    }
    #expect(trail.map(\.sequence) == [1, 10, 19, 28, 37, 46, 50])
    for (first, third) in zip(trail, trail.dropFirst(2)) {
      #expect(third.time - first.time >= .seconds(1))
    }
  }

  @Test func `a resent batch, a second apart, is kept whole`() throws {
    var filter = PositionFilter()
    for step in 0..<50 as Range<Int64> {
      let outcome = try filter.admit(
        reading(step + 1, at: east(Double(step) * 10), age: (50 - step) * 1_000), now: start)
      guard case .accepted(_, replacesPrevious: false) = outcome else {
        Issue.record("position \(step) was lost")
        return
      }
    }
  }
}
