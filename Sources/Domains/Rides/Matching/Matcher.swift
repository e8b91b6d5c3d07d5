import Base

/// Decides which drivers are offered which rides: one round for one city. Pure; equal input gives equal output, in
/// whatever order it comes.
struct Matcher {
  /// The drivers' places. It may hold drivers who are not idle; they are passed over.
  let index: DriverIndex

  /// Who takes offers now.
  let idleDrivers: [Identifier: IdleDriver]

  /// Seconds from a driver's place to a pickup; nil if there is no way.
  var secondsToArrival: (Coordinate, Coordinate) -> Int64? = StraightLineRoute.secondsToArrival

  /// Rides times drivers up to which the best assignment is sought; beyond, a good one must do.
  static let pairLimit = 250_000

  /// The drivers to offer each ride to, by ride and, for one ride, best first. A driver gets one ride at most.
  /// - Parameter fanOut: how many drivers a ride is offered to at once. The second drivers are chosen when each ride
  ///   that can have one has its first, and so on.
  func matches(for rides: [WaitingRide], fanOut: Int = 1) -> [MatchCandidate] {
    var candidates = rides.flatMap(candidates)
    var rounds: [[MatchCandidate]] = []
    while rounds.count < fanOut, !candidates.isEmpty {
      let chosen = Self.assign(candidates)
      rounds.append(chosen)
      let taken = Set(chosen.map(\.driver))
      candidates.removeAll { taken.contains($0.driver) }
    }
    // Sorted by ride without disturbing the order of the rounds.
    return rounds.enumerated()
      .flatMap { round, chosen in chosen.map { (round, $0) } }
      .sorted { ($0.1.ride, $0.0) < ($1.1.ride, $1.0) }
      .map(\.1)
  }

  /// The nearest idle drivers of a ride's category that it does not exclude, as far as they can be there in time.
  func candidates(for ride: WaitingRide) -> [MatchCandidate] {
    let isWanted = { (driver: Identifier) in
      idleDrivers[driver]?.category == ride.category && !ride.excludedDrivers.contains(driver)
    }
    return index.nearest(to: ride.pickup, where: isWanted).compactMap { hit in
      guard let driver = idleDrivers[hit.driver], let etaS = secondsToArrival(hit.coordinate, ride.pickup),
        (0...MatchCandidate.longestEtaS).contains(etaS)
      else { return nil }
      return MatchCandidate(ride: ride, driver: driver, etaS: etaS)
    }
  }

  /// Chooses candidates so that each ride and each driver occurs once at most and the costs, those of unmatched rides
  /// included, add up to the least; above `pairLimit`, to little. The result is sorted by ride.
  static func assign(_ candidates: [MatchCandidate]) -> [MatchCandidate] {
    let rides = Set(candidates.map(\.ride)).sorted()
    let drivers = Set(candidates.map(\.driver)).sorted()
    let chosen =
      rides.count * drivers.count <= pairLimit
      ? leastCost(candidates, rides: rides, drivers: drivers) : greedy(candidates)
    return chosen.sorted { $0.ride < $1.ride }
  }

  /// Each ride is a row and each driver a column of a matrix; an entry is what the pair costs more than leaving the ride
  /// unmatched (so less than 0), and 0 if the two are no candidates. The least sum of entries is the least cost.
  private static func leastCost(
    _ candidates: [MatchCandidate], rides: [Identifier], drivers: [Identifier]
  ) -> [MatchCandidate] {
    let rows = Dictionary(uniqueKeysWithValues: rides.enumerated().map { ($1, $0) })
    let columns = Dictionary(uniqueKeysWithValues: drivers.enumerated().map { ($1, $0) })
    var costs = CostMatrix(rows: rides.count, columns: drivers.count)
    var candidateOfPair: [Int: MatchCandidate] = [:]
    for candidate in candidates {
      guard let row = rows[candidate.ride], let column = columns[candidate.driver] else { continue }
      costs[row, column] = Int(candidate.cost - MatchCandidate.unmatchedCost)
      candidateOfPair[row * drivers.count + column] = candidate
    }
    return costs.minimumCostAssignment().compactMap { row, column in
      candidateOfPair[row * drivers.count + column]
    }
  }

  /// Takes the best candidate whose ride and driver are free, again and again.
  static func greedy(_ candidates: [MatchCandidate]) -> [MatchCandidate] {
    var matched: Set<Identifier> = []
    var taken: Set<Identifier> = []
    return candidates.sorted { ($0.cost, $0.ride, $0.driver) < ($1.cost, $1.ride, $1.driver) }.filter { candidate in
      guard !matched.contains(candidate.ride), !taken.contains(candidate.driver) else { return false }
      matched.insert(candidate.ride)
      taken.insert(candidate.driver)
      return true
    }
  }
}
