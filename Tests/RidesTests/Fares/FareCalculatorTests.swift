import Base
import Testing

@testable import Rides

@Suite struct FareCalculatorTests {
  /// 3.00 to get in, 1.20 a kilometre and 0.90 from 10 km on, 0.35 a minute, 0.40 waiting, night from 22 to 6.
  private let rates = FareRates(
    version: 7, base: 300, slabs: [.init(fromM: 0, perKilometre: 120), .init(fromM: 10_000, perKilometre: 90)],
    perMinute: 35, waitingPerMinute: 40, nightBasisPoints: 2_500, nightFromMinute: 22 * 60, nightUntilMinute: 6 * 60,
    minimum: 700, fee: 150, taxBasisPoints: 1_000, cashUnit: 5)

  private let noon = 12 * 60

  private func amounts(_ fare: Fare) -> [Int64] { fare.lines.map(\.amount) }

  @Test func `charges line by line, in order, each rounded half up`() throws {
    var inputs = MeterInputs(
      ratesVersion: 7, surgeBasisPoints: 12_500,
      quoted: TripMeasure(distanceM: 1_000, durationS: 60, startMinuteOfDay: noon),
      metered: TripMeasure(distanceM: 12_345, durationS: 1_234, startMinuteOfDay: 23 * 60))
    inputs.waitingS = 180 + 45
    inputs.tolls = 210
    inputs.coupon = .portion(basisPoints: 1_000, atMost: 500)
    let receipt = try FareCalculator(rates).receipt(for: inputs)
    #expect(
      receipt.lines.map(\.kind) == [
        .base, .distance, .time, .waiting, .night, .surge, .tolls, .fee, .coupon, .tax, .rounding,
      ])
    // 1,200 + 211.05; 719.83; 30; 25 % of 2,431; 25 % of 3,039; 10 % of 3,949; 10 % of 3,554; 4,149 to 4,150.
    #expect(amounts(receipt) == [300, 1_411, 720, 30, 608, 760, 210, 150, -395, 355, 1])
    #expect(receipt.total == 4_150)
  }

  @Test func `a short ride is lifted to the minimum, a free one has no line`() throws {
    let trip = TripMeasure(distanceM: 500, durationS: 60, startMinuteOfDay: noon)
    let quote = try FareCalculator(rates).quote(for: trip)
    #expect(amounts(quote) == [300, 60, 35, 305, 150, 85], "935 is a multiple of 5")
    let free = try FareCalculator(FareRates(version: 1, slabs: [.init(fromM: 0, perKilometre: 0)])).quote(for: trip)
    #expect(free.lines.isEmpty && free.total == 0)
  }

  @Test func `a coupon takes off no more than what it may`() throws {
    let trip = TripMeasure(distanceM: 500, durationS: 60, startMinuteOfDay: noon)
    let inputs = MeterInputs(
      ratesVersion: 7, quoted: trip, metered: trip, waitingS: 240, tolls: 100, coupon: .amount(100_000))
    let receipt = try FareCalculator(rates).receipt(for: inputs)
    #expect(receipt.total == 40 + 100, "waiting and tolls stay, and there is nothing left to tax")
  }

  @Test func `the first three minutes of waiting are free`() throws {
    let trip = TripMeasure(distanceM: 5_000, durationS: 600, startMinuteOfDay: noon)
    for (seconds, amount) in [(0, 0), (180, 0), (181, 1), (240, 40), (3_780, 2_400)] as [(Int64, Int64)] {
      let inputs = MeterInputs(ratesVersion: 7, quoted: trip, metered: trip, waitingS: seconds)
      #expect(try FareCalculator(rates).receipt(for: inputs).amount(.waiting) == amount)
    }
  }

  @Test func `the night begins and ends on the minute, across midnight or not`() {
    for (minute, isNight) in [(1_319, false), (1_320, true), (1_439, true), (0, true), (359, true), (360, false)] {
      #expect(rates.isNight(minuteOfDay: minute) == isNight)
    }
    var early = rates
    (early.nightFromMinute, early.nightUntilMinute) = (60, 240)
    #expect([59, 60, 239, 240].map(early.isNight) == [false, true, true, false])
    early.nightUntilMinute = 60
    #expect(!(0..<1_440).contains(where: early.isNight), "equal means no night")
  }

  @Test func `the quote binds up to 1.2 times the distance plus 500 metres, with the same stops`() throws {
    let quoted = TripMeasure(distanceM: 5_001, durationS: 600, startMinuteOfDay: noon)
    var inputs = MeterInputs(
      ratesVersion: 7, surgeBasisPoints: 15_000, quoted: quoted,
      metered: TripMeasure(distanceM: 6_501, durationS: 9_999, startMinuteOfDay: 23 * 60), waitingS: 300, tolls: 250)
    let calculator = try FareCalculator(rates)
    let quote = try calculator.quote(for: quoted, surgeBasisPoints: 15_000)
    #expect(inputs.quoteBinds, "6,501.2 m is the bound")
    let bound = try calculator.receipt(for: inputs)
    #expect(bound.lines.filter { $0.kind != .waiting && $0.kind != .tolls } == quote.lines)
    #expect(bound.total == quote.total + 80 + 250)

    inputs.metered.distanceM = 6_502
    #expect(!inputs.quoteBinds)
    let metered = try calculator.receipt(for: inputs)
    #expect(metered == (try calculator.receipt(for: inputs)))
    #expect(metered.amount(.distance) == 780 && metered.amount(.time) == 5_833 && metered.amount(.night) == 1_728)
    #expect(metered.amount(.surge) == 4_321, "half of base, distance, time and night: the surge of the quote")

    inputs.metered = quoted
    inputs.stopsChanged = true
    #expect(!inputs.quoteBinds)
    #expect(try calculator.receipt(for: inputs).total == bound.total, "metering the quoted trip gives the same")
  }

  @Test func `refuses figures out of range and rates of another version`() throws {
    let trip = TripMeasure(distanceM: 1, durationS: 1, startMinuteOfDay: 1)
    let calculator = try FareCalculator(rates)
    func refusal(_ change: (inout MeterInputs) -> Void) -> FareError? {
      var inputs = MeterInputs(ratesVersion: 7, quoted: trip, metered: trip)
      change(&inputs)
      return #expect(throws: FareError.self) { try calculator.receipt(for: inputs) }
    }
    #expect(refusal { $0.ratesVersion = 8 } == .wrongRates)
    #expect(refusal { $0.surgeBasisPoints = 9_999 } == .outOfRange(.basisPoints))
    #expect(refusal { $0.metered.distanceM = -1 } == .outOfRange(.distance))
    #expect(refusal { $0.quoted.durationS = -1 } == .outOfRange(.duration))
    #expect(refusal { $0.metered.startMinuteOfDay = 1_440 } == .outOfRange(.minuteOfDay))
    #expect(refusal { $0.waitingS = -1 } == .outOfRange(.waiting))
    #expect(refusal { $0.tolls = -1 } == .outOfRange(.tolls))
    #expect(refusal { $0.coupon = .amount(-1) } == .outOfRange(.coupon))
    #expect(refusal { $0.coupon = .portion(basisPoints: 10_001, atMost: 1) } == .outOfRange(.coupon))
  }

  @Test func `refuses rates that make no sense`() {
    func refusal(_ change: (inout FareRates) -> Void) -> FareError? {
      var changed = rates
      change(&changed)
      return #expect(throws: FareError.self) { try FareCalculator(changed) }
    }
    #expect(refusal { $0.base = -1 } == .outOfRange(.amount))
    #expect(refusal { $0.cashUnit = 0 } == .outOfRange(.amount))
    #expect(refusal { $0.nightBasisPoints = 10_001 } == .outOfRange(.basisPoints))
    #expect(refusal { $0.nightFromMinute = 1_440 } == .outOfRange(.minuteOfDay))
    #expect(refusal { $0.slabs = [] } == .outOfRange(.slabs))
    #expect(refusal { $0.slabs[0].fromM = 1 } == .outOfRange(.slabs))
    #expect(refusal { $0.slabs[1].fromM = 0 } == .outOfRange(.slabs))
  }

  @Test func `what does not fit 64 bits is an error, never another amount`() throws {
    let long = TripMeasure(distanceM: .max, durationS: .max, startMinuteOfDay: noon)
    #expect(throws: FareError.overflow) {
      let huge = FareRates(version: 1, slabs: [.init(fromM: 0, perKilometre: .max)])
      _ = try FareCalculator(huge).quote(for: long)
    }
    #expect(throws: FareError.overflow) {
      let dear = FareRates(version: 1, base: .max, slabs: [.init(fromM: 0, perKilometre: 0)])
      let trip = TripMeasure(distanceM: 0, durationS: 0, startMinuteOfDay: noon)
      _ = try FareCalculator(dear).quote(for: trip, surgeBasisPoints: 10_001)
    }
    // The product needs more than 64 bits, the result does not.
    let cheap = FareRates(version: 1, slabs: [.init(fromM: 0, perKilometre: 1_000)])
    #expect(try FareCalculator(cheap).quote(for: long).total == .max)
  }

  @Test func `rounds half up, also below zero`() throws {
    for (dividend, divisor, result) in [
      (5, 10, 1), (4, 10, 0), (-5, 10, 0), (-6, 10, -1), (-15, 10, -1), (-16, 10, -2), (7, 2, 4), (-7, 2, -3),
    ] as [(Int128, Int64, Int64)] {
      #expect(try Amount.quotient(dividend, divisor) == result)
    }
  }
}
