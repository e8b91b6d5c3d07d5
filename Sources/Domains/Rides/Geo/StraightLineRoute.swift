/// What is known of a way without a map: its length and how long it takes.
struct RouteEstimate: Sendable, Hashable {
  /// Metres along the way, rounded to the nearest.
  let distanceM: Int64

  /// Seconds of driving, rounded to the nearest.
  let durationS: Int64
}

/// Routing as long as no map is loaded: straight lines, lengthened as streets usually are, at a city's usual speed.
enum StraightLineRoute {
  /// How much longer the way through streets is than the straight line.
  static let detourFactor = 1.35

  static let speedMetresPerSecond = 8.0

  /// The way through `stops` in order. Fewer than two stops make a way of length 0.
  static func estimate(through stops: [Coordinate]) -> RouteEstimate {
    let straight = zip(stops, stops.dropFirst()).reduce(0) { $0 + $1.0.distance(to: $1.1) }
    let distance = straight * detourFactor
    return RouteEstimate(
      distanceM: Int64(distance.rounded()), durationS: Int64((distance / speedMetresPerSecond).rounded()))
  }

  /// Seconds for a driver at `origin` to reach `destination`.
  static func secondsToArrival(from origin: Coordinate, to destination: Coordinate) -> Int64 {
    estimate(through: [origin, destination]).durationS
  }
}
