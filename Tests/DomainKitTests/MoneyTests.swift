import Base
import OctetTypes
import Testing

@testable import DomainKit

@Suite struct MoneyTests {
  @Test func `currencies have the decimals of ISO 4217`() {
    #expect(Currency.exponent("EUR") == 2 && Currency.exponent("JPY") == 0 && Currency.exponent("KWD") == 3)
    #expect(Currency.exponent("eur") == nil && Currency.exponent("ABC") == nil && Currency.exponent("") == nil)
    #expect(Currency.codes.count > 150 && Currency.codes.allSatisfy { $0.utf8.count == 3 })
  }

  @Test func `sums and differences are checked`() throws {
    let euros = try Money(150, "EUR")
    #expect(try euros.adding(Money(-50, "EUR")) == Money(100, "EUR"))
    #expect(try euros.subtracting(Money(200, "EUR")) == Money(-50, "EUR"))
    #expect(throws: MoneyError.currencyMismatch) { try euros.adding(Money(1, "JPY")) }
    #expect(throws: MoneyError.overflow) { try euros.adding(Money(.max, "EUR")) }
    #expect(throws: MoneyError.overflow) { try Money(.min, "EUR").subtracting(euros) }
    #expect(throws: MoneyError.unknownCurrency) { try Money(1, "EURO") }
  }

  @Test(
    arguments: [
      (1050, 1500, 10_000, 158), (-1050, 1500, 10_000, -158), (1049, 1500, 10_000, 157), (5, 1, 3, 2), (4, 1, 3, 1),
      (Int64.max, 3, 3, Int64.max), (0, 7, 9, 0),
    ] as [(Int64, Int64, Int64, Int64)])
  func `rates are exact and rounded once, half away from zero`(
    amount: Int64, numerator: Int64, denominator: Int64, result: Int64
  ) throws {
    #expect(try Money(amount, "EUR").scaled(by: numerator, over: denominator).minorUnits == result)
  }

  @Test func `a product that does not fit is refused`() throws {
    #expect(throws: MoneyError.overflow) { try Money(.max, "EUR").scaled(by: 2, over: 1) }
  }

  @Test(
    arguments: [
      (100, [1, 1, 1], [34, 33, 33]), (-100, [1, 1, 1], [-34, -33, -33]), (10, [1, 2, 3], [2, 3, 5]),
      (1, [0, 1], [0, 1]),
      (0, [3, 5], [0, 0]), (7, [1], [7]), (2, [1, 1, 1], [1, 1, 0]),
    ] as [(Int64, [Int64], [Int64])])
  func `parts add up to the whole`(amount: Int64, weights: [Int64], parts: [Int64]) throws {
    #expect(try Money(amount, "EUR").split(by: weights).map(\.minorUnits) == parts)
  }

  @Test func `parts of random amounts add up, and none is off by a minor unit`() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<1000 {
      let amount = Int64.random(in: .min / 2 ... .max / 2, using: &generator)
      let weights = (0..<Int.random(in: 1...9, using: &generator)).map { _ in Int64.random(in: 0...1000) }
      guard weights.contains(where: { $0 > 0 }) else { continue }
      let parts = try Money(amount, "EUR").split(by: weights).map(\.minorUnits)
      #expect(parts.reduce(0, +) == amount, "\(amount) by \(weights)")
    }
  }
}
