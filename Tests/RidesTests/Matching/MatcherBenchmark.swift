import Base
import Foundation
import Testing

@testable import Rides

/// How long a round takes. Says so on standard output; asserts nothing, as the machine decides. Run with
/// `OCTET_BENCHMARK=1 swift test -c release -Xswiftc -enable-testing --filter MatcherBenchmark`.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["OCTET_BENCHMARK"] != nil))
struct MatcherBenchmark {
  private let random = SeededRandomSource(seed: 1)

  @Test(arguments: [200, 500])
  func `least-cost assignment of a full matrix`(size: Int) {
    var usual = CostMatrix(rows: size, columns: size)
    // Products of the indexes make the augmenting paths as long as can be.
    var worst = usual
    for row in 0..<size {
      for column in 0..<size {
        usual[row, column] = Int(random.integer(in: -120_000 ... -30_000))
        worst[row, column] = (row + 1) * (column + 1)
      }
    }
    for (name, costs) in [("random", usual), ("worst", worst)] {
      report("assignment \(size) x \(size), \(name)") { _ = costs.minimumCostAssignment() }
    }
  }

  @Test(arguments: [200, 2_000])
  func `a whole round`(size: Int) {
    let centre = Coordinate.at(60.17, 24.94)
    var index = DriverIndex()
    var idle: [Identifier: IdleDriver] = [:]
    for number in 0..<Int64(size) {
      let driver = Identifier(rawValue: number)
      index.place(driver, at: random.place(within: 8_000, of: centre))
      idle[driver] = IdleDriver(id: driver, category: "economy", idleS: random.integer(in: 0...2_000))
    }
    let rides = (0..<Int64(size)).map { number in
      WaitingRide(
        id: Identifier(rawValue: number), pickup: random.place(within: 8_000, of: centre), category: "economy",
        waitS: random.integer(in: 0...200), excludedDrivers: [])
    }
    let matcher = Matcher(index: index, idleDrivers: idle)
    report("round of \(size) rides, \(size) drivers") { _ = matcher.matches(for: rides) }
    report("search for 20 drivers among \(size)") { _ = index.nearest(to: centre) }
  }

  /// The median of 9 runs.
  private func report(_ name: String, _ work: () -> Void) {
    let clock = ContinuousClock()
    let times = (0..<9).map { _ in clock.measure(work) }.sorted()
    print("\(name): \(times[4])")
  }
}
