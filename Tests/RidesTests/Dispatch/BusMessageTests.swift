import Base
import RidesAPI
import Testing

@testable import Rides

@Suite struct BusMessageTests {
  private let driver = Identifier(rawValue: 1 << 40)

  private func position(_ sequence: Int64, speed: Double? = 3) throws -> AcceptedPosition {
    AcceptedPosition(
      sequence: sequence, time: Instant(seconds: 1_767_268_800 + sequence),
      coordinate: try Coordinate(latitude: -60.5, longitude: 179.75), accuracyMetres: 5, speedMetresPerSecond: speed)
  }

  @Test func `reports and track points come out as they went in`() throws {
    for position in [nil, try position(9), try position(9, speed: nil)] {
      let report = DriverReport(driver: driver, presence: .onTrip, presenceVersion: 7, position: position)
      #expect(DriverReport(decoding: report.encoded()) == report)
      for driver in [nil, driver] {
        let point = TrackPoint(state: .inProgress, version: 12, driver: driver, position: position)
        #expect(TrackPoint(decoding: point.encoded()) == point)
      }
    }
  }

  @Test func `anything else is no message, and nothing traps`() throws {
    let report = DriverReport(driver: driver, presence: .idle, presenceVersion: 7, position: try position(9))
    let whole = report.encoded()
    for length in 0..<whole.count where length != 24 {
      #expect(DriverReport(decoding: Array(whole.prefix(length))) == nil)
    }
    #expect(DriverReport(decoding: whole + [UInt8](repeating: 0, count: 8)) == nil)
    // A latitude of 2^1000, an accuracy that is not a number, a sequence of 0.
    for (word, byte) in [(5, 0x7f), (7, 0x7f), (3, 0)] as [(Int, UInt8)] {
      var changed = whole
      for index in word * 8..<word * 8 + 8 { changed[index] = byte == 0 ? 0 : 0x7f }
      #expect(DriverReport(decoding: changed) == nil)
    }
    let random = SeededRandomSource(seed: 3)
    for length in 0..<200 {
      let bytes = random.bytes(length)
      _ = DriverReport(decoding: bytes)
      _ = TrackPoint(decoding: bytes)
    }
  }

  @Test func `the newer state and the newer position come together, whoever knows them`() throws {
    let started = TrackPoint(state: .inProgress, version: 5, driver: driver, position: try position(3))
    let moved = TrackPoint(state: .arrived, version: 4, driver: driver, position: try position(8))
    let both = TrackPoint(state: .inProgress, version: 5, driver: driver, position: try position(8))
    #expect(started.merged(with: moved) == both)
    #expect(moved.merged(with: started) == both)
    #expect(both.merged(with: moved) == nil, "nothing new")
    #expect(both.merged(with: both) == nil)
    // The next driver's place is not the last one's.
    let given = TrackPoint(state: .assigned, version: 9, driver: Identifier(rawValue: 2), position: nil)
    #expect(both.merged(with: given) == given)
    let searching = TrackPoint(state: .requested, version: 8, driver: nil, position: nil)
    #expect(both.merged(with: searching) == searching)
    #expect(searching.merged(with: both) == nil)
  }
}
