import Base
import Testing

@testable import Rides

/// What must hold for all rates and trips: invariant 5 of the rides specification.
@Suite struct FarePropertyTests {
  private let random = SeededRandomSource(seed: 20)

  private func rates() -> FareRates {
    var slabs = [FareRates.Slab(fromM: 0, perKilometre: random.integer(in: 0...500))]
    for _ in 0..<random.below(4) {
      // Cheaper or dearer with the distance; both occur.
      slabs.append(
        .init(
          fromM: (slabs.last?.fromM ?? 0) + random.integer(in: 1...8_000), perKilometre: random.integer(in: 0...500)))
    }
    return FareRates(
      version: 1, base: random.integer(in: 0...500), slabs: slabs, perMinute: random.integer(in: 0...100),
      waitingPerMinute: random.integer(in: 0...100), nightBasisPoints: random.integer(in: 0...10_000),
      nightFromMinute: Int(random.below(1_440)), nightUntilMinute: Int(random.below(1_440)),
      minimum: random.integer(in: 0...1_500), fee: random.integer(in: 0...300),
      taxBasisPoints: random.integer(in: 0...3_000), cashUnit: random.integer(in: 1...100))
  }

  private func trip() -> TripMeasure {
    TripMeasure(
      distanceM: random.integer(in: 0...40_000), durationS: random.integer(in: 0...7_200),
      startMinuteOfDay: Int(random.below(1_440)))
  }

  private func coupon() -> FareCoupon? {
    switch random.below(3) {
    case 0: nil
    case 1: .amount(random.integer(in: 0...1_000))
    default: .portion(basisPoints: random.integer(in: 0...10_000), atMost: random.integer(in: 0...2_000))
    }
  }

  private func inputs() -> MeterInputs {
    MeterInputs(
      ratesVersion: 1, surgeVersion: random.integer(in: 0...99), surgeBasisPoints: random.integer(in: 10_000...30_000),
      quoted: trip(), metered: trip(), stopsChanged: random.below(4) == 0, waitingS: random.integer(in: 0...900),
      tolls: random.integer(in: 0...900), coupon: coupon())
  }

  @Test func `invariant 5: the lines sum to the total, in order and none of 0`() throws {
    for _ in 0..<2_000 {
      let (rates, inputs) = (rates(), inputs())
      let receipt = try FareCalculator(rates).receipt(for: inputs)
      let kinds = receipt.lines.map(\.kind.rawValue)
      #expect(receipt.lines.reduce(0) { $0 + $1.amount } == receipt.total)
      #expect(kinds == kinds.sorted() && Set(kinds).count == kinds.count)
      #expect(!receipt.lines.contains { $0.amount == 0 })
      #expect(receipt.total >= 0)
      #expect(receipt.total % rates.cashUnit == 0)
    }
  }

  @Test func `invariant 5: a receipt recomputed from the stored bytes is the same`() throws {
    for _ in 0..<2_000 {
      let (rates, inputs) = (rates(), inputs())
      let stored = inputs.canonicalBytes
      let restored = try MeterInputs(canonicalBytes: stored)
      #expect(restored == inputs && restored.canonicalBytes == stored)
      let calculator = try FareCalculator(rates)
      #expect(try calculator.receipt(for: restored) == calculator.receipt(for: inputs))
    }
  }

  @Test func `invariant 5: an estimate never falls when distance or time grows`() throws {
    for _ in 0..<500 {
      let calculator = try FareCalculator(rates())
      let (surge, coupon) = (random.integer(in: 10_000...30_000), coupon())
      var trip = trip()
      var total = try calculator.quote(for: trip, surgeBasisPoints: surge, coupon: coupon).total
      for _ in 0..<20 {
        trip.distanceM += random.integer(in: 0...30)
        trip.durationS += random.integer(in: 0...5)
        let longer = try calculator.quote(for: trip, surgeBasisPoints: surge, coupon: coupon).total
        #expect(longer >= total)
        total = longer
      }
    }
  }

  @Test func `a quote that binds is raised by waiting and tolls alone`() throws {
    for _ in 0..<1_000 {
      let calculator = try FareCalculator(rates())
      var inputs = inputs()
      inputs.stopsChanged = false
      inputs.metered.distanceM = inputs.quoted.distanceM
      let quote = try calculator.quote(
        for: inputs.quoted, surgeBasisPoints: inputs.surgeBasisPoints, coupon: inputs.coupon)
      let receipt = try calculator.receipt(for: inputs)
      let unrounded = (quote.total - quote.amount(.rounding), receipt.total - receipt.amount(.rounding))
      #expect(unrounded.1 == unrounded.0 + receipt.amount(.waiting) + inputs.tolls)
    }
  }

  @Test func `a split hands out the rider's and the sponsor's money, no more and no less`() throws {
    for _ in 0..<1_000 {
      let receipt = try FareCalculator(rates()).receipt(for: inputs())
      let split = try FareSplit(receipt, commissionBasisPoints: random.integer(in: 0...10_000))
      #expect(
        receipt.total - receipt.amount(.coupon)
          == split.driverEarnings + split.commission + split.tax + split.tolls)
    }
  }

  @Test func `the bytes of stored inputs never change`() {
    let inputs = MeterInputs(
      ratesVersion: 1, surgeVersion: 2, surgeBasisPoints: 3,
      quoted: TripMeasure(distanceM: 4, durationS: 5, startMinuteOfDay: 6),
      metered: TripMeasure(distanceM: 7, durationS: 8, startMinuteOfDay: 9), stopsChanged: true, waitingS: 11,
      tolls: 12, coupon: .portion(basisPoints: 14, atMost: -2))
    let numbers: [UInt8] = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 11, 12, 2, 14]
    let expected =
      numbers.flatMap { [UInt8](repeating: 0, count: 7) + [$0] } + [UInt8](repeating: 255, count: 7) + [254]
    #expect(inputs.canonicalBytes == expected)
  }

  @Test func `bytes that were not written here are refused`() throws {
    let bytes = inputs().canonicalBytes
    for (index, value) in [(7, 2), (87, 2), (111, 3)] as [(Int, UInt8)] {
      var damaged = bytes
      damaged[index] = value
      #expect(throws: FareError.malformedInputs) { try MeterInputs(canonicalBytes: damaged) }
    }
    #expect(throws: FareError.malformedInputs) { try MeterInputs(canonicalBytes: bytes.dropLast()) }
    #expect(throws: FareError.malformedInputs) { try MeterInputs(canonicalBytes: []) }
  }
}
