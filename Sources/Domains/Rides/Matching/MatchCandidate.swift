import Base

/// A ride that looks for a driver.
struct WaitingRide: Sendable {
  let id: Identifier
  let pickup: Coordinate

  /// The code of the vehicle category that the rider chose.
  let category: String

  /// Seconds since the ride was requested, at least 0.
  let waitS: Int64

  /// Who must not get it: drivers who gave it back or turned it down.
  let excludedDrivers: Set<Identifier>
}

/// A driver who takes offers.
struct IdleDriver: Sendable {
  let id: Identifier

  /// The code of the vehicle's category.
  let category: String

  /// Seconds since the driver became idle, at least 0.
  let idleS: Int64
}

/// A driver who could take a ride, and how good that would be.
struct MatchCandidate: Sendable, Hashable {
  let ride: Identifier
  let driver: Identifier

  /// Seconds until the driver is at the pickup.
  let etaS: Int64

  /// The lower, the better: hundredths of a second of driving, less what waiting riders and idle drivers earned.
  let cost: Int64

  /// What leaving a ride without a driver costs: more than any candidate.
  static let unmatchedCost: Int64 = 120_000

  /// No driver is sent further than this many seconds.
  static let longestEtaS: Int64 = 900

  private static let costPerEtaSecond: Int64 = 100
  private static let (gainPerWaitSecond, longestWaitS): (Int64, Int64) = (50, 120)
  private static let (gainPerIdleSecond, longestIdleS): (Int64, Int64) = (2, 1_800)

  /// - Parameter etaS: 0 to `longestEtaS`.
  init(ride: WaitingRide, driver: IdleDriver, etaS: Int64) {
    precondition((0...Self.longestEtaS).contains(etaS), "a candidate that is too far")
    self.ride = ride.id
    self.driver = driver.id
    self.etaS = etaS
    cost =
      Self.costPerEtaSecond * etaS
      - Self.gainPerWaitSecond * min(ride.waitS, Self.longestWaitS)
      - Self.gainPerIdleSecond * min(driver.idleS, Self.longestIdleS)
  }
}
