import Base

/// What a rider pays for cancelling, and who gets it.
struct CancelFee: Sendable, Equatable {
  /// What the rider pays, in minor units; 0 if cancelling is free.
  let total: Int64

  /// The driver's part: 80 %, rounded half up.
  let driverShare: Int64

  /// The rest.
  var platformShare: Int64 { total - driverShare }

  static let driverShareBasisPoints: Int64 = 8_000

  /// Splits a fee that is due.
  /// - Parameter total: minor units, at least 0.
  init(total: Int64) {
    precondition(total >= 0, "a fee is never negative")
    self.total = total
    let scaled = Int128(total) * Int128(Self.driverShareBasisPoints)
    driverShare = Int64((scaled + Int128(BasisPoints.whole / 2)) / Int128(BasisPoints.whole))
  }

  /// The fee if the rider cancels at `now`: none before the assignment, for `freeCancelTime` after it, or if
  /// the driver is late at the pickup by `lateDriver`; otherwise the city's.
  /// - Parameters:
  ///   - assignedAt: when the present driver accepted; nil before.
  ///   - pickupDueAt: when that driver was expected at the pickup, as estimated on acceptance; nil before.
  ///   - arrivedAt: when that driver arrived; nil while on the way.
  ///   - cityFee: minor units, at least 0.
  init(
    assignedAt: Instant?, pickupDueAt: Instant?, arrivedAt: Instant?, cityFee: Int64, now: Instant,
    limits: RidesLimits
  ) {
    let isLate = pickupDueAt.map { (arrivedAt ?? now) - $0 >= limits.lateDriver } ?? false
    let isFree = assignedAt.map { now - $0 <= limits.freeCancelTime } ?? true
    self.init(total: isFree || isLate ? 0 : cityFee)
  }
}
