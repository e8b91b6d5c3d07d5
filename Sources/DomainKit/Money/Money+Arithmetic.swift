import Base
public import OctetTypes

/// Why an amount cannot be computed.
public enum MoneyError: Error, Equatable {
  /// The amounts are of different currencies.
  case currencyMismatch
  /// The code is not a currency.
  case unknownCurrency
  /// The result does not fit.
  case overflow
}

extension Money {
  /// An amount in the currency's minor unit.
  /// - Throws: `.unknownCurrency`.
  public init(_ minorUnits: Int64, _ currencyCode: String) throws(MoneyError) {
    guard Currency.isKnown(currencyCode) else { throw .unknownCurrency }
    self.init()
    self.currencyCode = currencyCode
    self.minorUnits = minorUnits
  }

  /// The sum.
  /// - Throws: `.currencyMismatch` or `.overflow`.
  public func adding(_ other: Money) throws(MoneyError) -> Money {
    try combining(other) { $0.addingReportingOverflow($1) }
  }

  /// The difference, which may be negative.
  /// - Throws: `.currencyMismatch` or `.overflow`.
  public func subtracting(_ other: Money) throws(MoneyError) -> Money {
    try combining(other) { $0.subtractingReportingOverflow($1) }
  }

  /// The amount times `numerator` / `denominator`, computed exactly and rounded once, half away from zero. A rate in
  /// basis points has the denominator 10,000. `denominator` must be positive.
  /// - Throws: `.overflow`.
  public func scaled(by numerator: Int64, over denominator: Int64) throws(MoneyError) -> Money {
    precondition(denominator > 0, "a rate has a positive denominator")
    let product = Int128(minorUnits) * Int128(numerator)
    let half = Int128(denominator) / 2
    // For an odd denominator no product lies exactly halfway, so adding the rounded-down half is right as well.
    let rounded = (product >= 0 ? product + half : product - half) / Int128(denominator)
    guard let units = Int64(exactly: rounded) else { throw .overflow }
    return with(units)
  }

  /// Parts in proportion to `weights` that add up to the whole: each gets its share rounded toward zero, and what is
  /// left goes, a minor unit each, to the largest remainders, of equal ones to the earlier. So 100 in three equal
  /// parts is 34, 33, 33. Weights must not be negative, and not all 0.
  public func split(by weights: [Int64]) -> [Money] {
    precondition(weights.allSatisfy { $0 >= 0 }, "a weight is not negative")
    let total = weights.reduce(Int128(0)) { $0 + Int128($1) }
    precondition(total > 0, "some weight is not 0")
    let sign: Int128 = minorUnits < 0 ? -1 : 1
    let magnitude = Int128(minorUnits) * sign
    let shares = weights.map { (magnitude * Int128($0)).quotientAndRemainder(dividingBy: total) }
    let left = magnitude - shares.reduce(0) { $0 + $1.quotient }
    let lucky = Set(
      shares.indices.sorted { (shares[$1].remainder, $0) < (shares[$0].remainder, $1) }.prefix(Int(left)))
    // A share is no larger than the whole, so it fits.
    return shares.indices.map { with(Int64(sign * (shares[$0].quotient + (lucky.contains($0) ? 1 : 0)))) }
  }

  private func combining(
    _ other: Money, _ operation: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)
  ) throws(MoneyError) -> Money {
    guard currencyCode == other.currencyCode else { throw .currencyMismatch }
    let (units, overflow) = operation(minorUnits, other.minorUnits)
    guard !overflow else { throw .overflow }
    return with(units)
  }

  private func with(_ units: Int64) -> Money {
    var result = self
    result.minorUnits = units
    return result
  }
}
