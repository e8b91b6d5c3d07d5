import Base
import DomainKit

/// A number that is not negative, exactly: a fraction in its lowest terms.
struct Fraction: Equatable {
  let numerator: Int128
  let denominator: Int128

  static let zero = Fraction(0)

  init(_ number: Int64) {
    precondition(number >= 0, "a negative amount of work")
    (numerator, denominator) = (Int128(number), 1)
  }

  private init(numerator: Int128, denominator: Int128) {
    self.numerator = numerator
    self.denominator = denominator
  }

  /// - Throws: `KitError.amountOverflow`.
  func times(_ number: Int64) throws(KitError) -> Fraction {
    // Shortened before, so that what fits is not lost on the way.
    let common = Self.commonDivisor(Int128(number), denominator)
    let (product, overflow) = numerator.multipliedReportingOverflow(by: Int128(number) / common)
    guard !overflow else { throw .amountOverflow }
    return Fraction(numerator: product, denominator: denominator / common)
  }

  /// - Parameter number: above 0.
  /// - Throws: `KitError.amountOverflow`.
  func divided(by number: Int64) throws(KitError) -> Fraction {
    precondition(number > 0, "a share of nothing")
    let common = Self.commonDivisor(numerator, Int128(number))
    let (product, overflow) = denominator.multipliedReportingOverflow(by: Int128(number) / common)
    guard !overflow else { throw .amountOverflow }
    return Fraction(numerator: numerator / common, denominator: product)
  }

  /// To the nearest whole number, a half up.
  /// - Throws: `KitError.amountOverflow`.
  func rounded() throws(KitError) -> Int64 {
    guard let number = Int64(exactly: nearest()) else { throw .amountOverflow }
    return number
  }

  /// To the next whole number.
  /// - Throws: `KitError.amountOverflow`.
  func roundedUp() throws(KitError) -> Int64 {
    let (whole, rest) = numerator.quotientAndRemainder(dividingBy: denominator)
    guard let number = Int64(exactly: rest > 0 ? whole + 1 : whole) else { throw .amountOverflow }
    return number
  }

  /// With so many decimal places, rounded to the nearest, a half up: `578.7`.
  /// - Throws: `KitError.amountOverflow`.
  func text(decimals: Int) throws(KitError) -> String {
    let scale = (0..<decimals).reduce(Int64(1)) { scale, _ in scale * 10 }
    let digits = String(try times(scale).nearest(), width: decimals + 1)
    return decimals == 0 ? digits : digits.dropLast(decimals) + "." + digits.suffix(decimals)
  }

  private func nearest() -> Int128 {
    let (whole, rest) = numerator.quotientAndRemainder(dividingBy: denominator)
    return rest >= denominator - rest ? whole + 1 : whole
  }

  /// Euclid's algorithm.
  private static func commonDivisor(_ a: Int128, _ b: Int128) -> Int128 {
    var (a, b) = (a, b)
    while b > 0 { (a, b) = (b, a % b) }
    return max(a, 1)
  }
}
