import Base
import Testing

@testable import Rides

@Suite struct AssignmentTests {
  private let random = SeededRandomSource(seed: 40)

  @Test func `the assignment costs as little as the best of all`() {
    for _ in 0..<400 {
      let (rows, columns) = (Int(random.below(7)), Int(random.below(7)))
      var costs = CostMatrix(rows: rows, columns: columns)
      // From a small range, so that equal costs are common, or a large one.
      let most: Int64 = random.below(2) == 0 ? 4 : 100_000
      for row in 0..<rows {
        for column in 0..<columns { costs[row, column] = Int(random.integer(in: -most...most)) }
      }
      let assignment = costs.minimumCostAssignment()
      #expect(assignment.count == min(rows, columns))
      #expect(Set(assignment.map(\.row)).count == assignment.count)
      #expect(Set(assignment.map(\.column)).count == assignment.count)
      #expect(assignment.reduce(0) { $0 + costs[$1.row, $1.column] } == leastSum(costs, row: 0, used: []))
    }
  }

  /// Tries everything. A row goes without a column only if there are more rows than columns.
  private func leastSum(_ costs: CostMatrix, row: Int, used: Set<Int>) -> Int {
    guard row < costs.rows else { return 0 }
    var least = Int.max
    if costs.rows - row > costs.columns - used.count {
      least = leastSum(costs, row: row + 1, used: used)
    }
    for column in 0..<costs.columns where !used.contains(column) {
      least = min(least, costs[row, column] + leastSum(costs, row: row + 1, used: used.union([column])))
    }
    return least
  }

  @Test func `rides and drivers that are no candidates are never matched, and the rest costs least`() {
    for _ in 0..<200 {
      let candidates = candidates(rides: Int64(random.below(6)), drivers: Int64(random.below(6)))
      let chosen = Matcher.assign(candidates)
      #expect(Set(chosen).isSubset(of: candidates))
      #expect(Set(chosen.map(\.driver)).count == chosen.count && Set(chosen.map(\.ride)).count == chosen.count)
      let gain = chosen.reduce(0) { $0 + $1.cost - MatchCandidate.unmatchedCost }
      #expect(gain == leastGain(candidates[...], used: []))
    }
  }

  private func candidates(rides: Int64, drivers: Int64) -> [MatchCandidate] {
    let place = Coordinate.at(0, 0)
    return (0..<rides).flatMap { id in
      let ride = WaitingRide(
        id: Identifier(rawValue: id), pickup: place, category: "", waitS: random.integer(in: 0...200),
        excludedDrivers: [])
      return (0..<drivers).filter { _ in random.below(2) == 0 }.map { driver in
        MatchCandidate(
          ride: ride, driver: IdleDriver(id: Identifier(rawValue: driver), category: "", idleS: driver * 300),
          etaS: random.integer(in: 0...900))
      }
    }
  }

  /// Tries all sets of candidates that share no ride and no driver.
  private func leastGain(_ candidates: ArraySlice<MatchCandidate>, used: Set<Identifier>) -> Int64 {
    guard let first = candidates.first else { return 0 }
    let rest = candidates.dropFirst()
    let without = leastGain(rest, used: used)
    guard !used.contains(first.driver) else { return without }
    let others = rest.filter { $0.ride != first.ride }[...]
    return min(
      without,
      first.cost - MatchCandidate.unmatchedCost + leastGain(others, used: used.union([first.driver])))
  }
}
