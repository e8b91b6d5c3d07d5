/// What a ride costs, line by line. The total is the sum of the lines, because it is nothing else.
struct Fare: Sendable, Equatable {
  struct Line: Sendable, Equatable {
    /// What a line is for, in the order of the lines. The raw values are the numbers of `FareLineKind` in the protos.
    enum Kind: Int32, Sendable, CaseIterable {
      case base = 1
      case distance, time, waiting, night, surge, minimum, tolls, fee, coupon, tax, rounding
    }

    let kind: Kind

    /// Minor units; never 0, negative for a coupon and sometimes for rounding.
    let amount: Int64
  }

  /// In the order of their kinds, each kind at most once; lines of 0 are left out.
  private(set) var lines: [Line] = []

  /// Minor units.
  private(set) var total: Int64 = 0

  /// The amount of a line, 0 if there is none.
  func amount(_ kind: Line.Kind) -> Int64 {
    lines.first { $0.kind == kind }?.amount ?? 0
  }

  /// Adds the next line, unless it is 0.
  /// - Throws: `.overflow` if the total does not fit.
  mutating func append(_ kind: Line.Kind, _ amount: Int64) throws(FareError) {
    guard amount != 0 else { return }
    precondition(lines.last.map { $0.kind.rawValue < kind.rawValue } ?? true, "lines come in order")
    total = try Amount.sum(total, amount)
    lines.append(Line(kind: kind, amount: amount))
  }
}

/// Who gets what of a fare: rider's money + coupon sponsor's money = driver + commission + tax + tolls.
struct FareSplit: Sendable, Equatable {
  let driverEarnings: Int64
  let commission: Int64
  let tax: Int64
  let tolls: Int64

  /// The platform's part of what is neither tax nor tolls, as if there were no coupon, rounded half up; the rest is
  /// the driver's.
  /// - Parameter commissionBasisPoints: 0 to 10,000.
  /// - Throws: `.outOfRange(.basisPoints)` or `.overflow`.
  init(_ fare: Fare, commissionBasisPoints: Int64) throws(FareError) {
    guard (0...BasisPoints.whole).contains(commissionBasisPoints) else { throw .outOfRange(.basisPoints) }
    tax = fare.amount(.tax)
    tolls = fare.amount(.tolls)
    // All of these are parts of the total, so only leaving out the coupon can overflow.
    let shared = try Amount.sum(fare.total - tax - tolls, -fare.amount(.coupon))
    commission = try Amount.portion(commissionBasisPoints, of: shared)
    driverEarnings = shared - commission
  }
}

/// Checked arithmetic on minor units: products in 128 bits, results in 64 or an error.
enum Amount {
  static func sum(_ a: Int64, _ b: Int64) throws(FareError) -> Int64 {
    let (sum, overflow) = a.addingReportingOverflow(b)
    guard !overflow else { throw .overflow }
    return sum
  }

  /// `basisPoints` ten-thousandths of `amount`, rounded half up.
  static func portion(_ basisPoints: Int64, of amount: Int64) throws(FareError) -> Int64 {
    try quotient(Int128(basisPoints) * Int128(amount), BasisPoints.whole)
  }

  /// `dividend` / `divisor`, rounded half up: to the nearest, and from the middle toward +∞.
  /// - Parameters:
  ///   - dividend: at most 2^126 in size, as products of two 64-bit numbers are.
  ///   - divisor: above 0.
  static func quotient(_ dividend: Int128, _ divisor: Int64) throws(FareError) -> Int64 {
    let divisor = Int128(divisor)
    let doubled = 2 * divisor
    let (quotient, remainder) = (2 * dividend + divisor).quotientAndRemainder(dividingBy: doubled)
    guard let result = Int64(exactly: remainder < 0 ? quotient - 1 : quotient) else { throw .overflow }
    return result
  }
}
