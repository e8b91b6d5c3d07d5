/// Works out fares from rates. Pure integer arithmetic: equal inputs give equal lines, on every machine.
///
/// ```swift
/// let calculator = try FareCalculator(rates)
/// let quote = try calculator.quote(for: trip, surgeBasisPoints: 12_500)      // EstimateFare
/// let receipt = try calculator.receipt(for: inputs)                          // CompleteRide and RecomputeFare
/// ```
struct FareCalculator: Sendable {
  let rates: FareRates

  /// Waiting at the pickup costs nothing for this long.
  static let freeWaitingS: Int64 = 180

  private static let metresPerKilometre: Int64 = 1_000
  private static let secondsPerMinute: Int64 = 60

  /// - Throws: `.outOfRange` for rates that break their documentation.
  init(_ rates: FareRates) throws(FareError) {
    try rates.validate()
    self.rates = rates
  }

  /// The fare of a trip that is yet to be driven: no waiting and no tolls. It never falls when the distance or
  /// the duration grows.
  /// - Throws: `.outOfRange` naming a bad figure, or `.overflow`.
  func quote(
    for trip: TripMeasure, surgeBasisPoints: Int64 = BasisPoints.whole, coupon: FareCoupon? = nil
  ) throws(FareError) -> Fare {
    try fare(
      of: trip, surgeBasisPoints: surgeBasisPoints, waitingS: 0, tolls: 0, coupon: coupon)
  }

  /// The fare of a trip that was driven. If the quote binds, it is the quote plus waiting and tolls, rounded
  /// anew; otherwise the same rates and surge on what was metered.
  /// - Throws: `.wrongRates` if the inputs name another version, `.outOfRange` naming a bad figure, or `.overflow`.
  func receipt(for inputs: MeterInputs) throws(FareError) -> Fare {
    guard inputs.ratesVersion == rates.version else { throw .wrongRates }
    // The measure that does not count is checked as well: the decision between the two rests on both.
    for trip in [inputs.quoted, inputs.metered] { try Self.validate(trip) }
    return try fare(
      of: inputs.quoteBinds ? inputs.quoted : inputs.metered, surgeBasisPoints: inputs.surgeBasisPoints,
      waitingS: inputs.waitingS, tolls: inputs.tolls, coupon: inputs.coupon)
  }

  private func fare(
    of trip: TripMeasure, surgeBasisPoints: Int64, waitingS: Int64, tolls: Int64, coupon: FareCoupon?
  ) throws(FareError) -> Fare {
    try Self.validate(trip)
    guard surgeBasisPoints >= BasisPoints.whole else { throw .outOfRange(.basisPoints) }
    guard waitingS >= 0 else { throw .outOfRange(.waiting) }
    guard tolls >= 0 else { throw .outOfRange(.tolls) }

    let distance = try price(ofMetres: trip.distanceM)
    let time = try Amount.quotient(Int128(rates.perMinute) * Int128(trip.durationS), Self.secondsPerMinute)
    let waiting = try Amount.quotient(
      Int128(rates.waitingPerMinute) * Int128(max(0, waitingS - Self.freeWaitingS)), Self.secondsPerMinute)
    let plain = try Amount.sum(try Amount.sum(rates.base, distance), time)
    let isNight = rates.isNight(minuteOfDay: trip.startMinuteOfDay)
    let night = isNight ? try Amount.portion(rates.nightBasisPoints, of: plain) : 0
    let withNight = try Amount.sum(plain, night)
    let surge = try Amount.portion(surgeBasisPoints - BasisPoints.whole, of: withNight)
    let withSurge = try Amount.sum(withNight, surge)
    let minimum = max(0, rates.minimum - withSurge)

    // Waiting and tolls are charged as they are, without discount and further tax: so a quote that binds is raised by
    // exactly these two, and metering the quoted trip gives the same.
    let priced = try Amount.sum(try Amount.sum(withSurge, minimum), rates.fee)
    let discount = try Self.discount(coupon, on: priced)
    let tax = try Amount.portion(rates.taxBasisPoints, of: priced - discount)

    var fare = Fare()
    for (kind, amount) in [
      (.base, rates.base), (.distance, distance), (.time, time), (.waiting, waiting), (.night, night),
      (.surge, surge), (.minimum, minimum), (.tolls, tolls), (.fee, rates.fee), (.coupon, -discount), (.tax, tax),
    ] as [(Fare.Line.Kind, Int64)] {
      try fare.append(kind, amount)
    }
    try fare.append(.rounding, try rounding(of: fare.total))
    return fare
  }

  /// The sum over the slabs of rate × metres within the slab, rounded once.
  private func price(ofMetres metres: Int64) throws(FareError) -> Int64 {
    var product: Int128 = 0
    for (index, slab) in rates.slabs.enumerated() where metres > slab.fromM {
      let end = index + 1 < rates.slabs.count ? min(metres, rates.slabs[index + 1].fromM) : metres
      // The lengths add up to `metres`, so the sum stays below 2^126.
      product += Int128(slab.perKilometre) * Int128(end - slab.fromM)
    }
    return try Amount.quotient(product, Self.metresPerKilometre)
  }

  /// What a coupon takes off, at most all of it.
  private static func discount(_ coupon: FareCoupon?, on amount: Int64) throws(FareError) -> Int64 {
    switch coupon {
    case nil: return 0
    case .amount(let value):
      guard value >= 0 else { throw .outOfRange(.coupon) }
      return min(value, amount)
    case .portion(let basisPoints, let most):
      guard (0...BasisPoints.whole).contains(basisPoints), most >= 0 else { throw .outOfRange(.coupon) }
      return min(try Amount.portion(basisPoints, of: amount), most)
    }
  }

  /// What brings a total to the nearest multiple of the smallest coin, half up.
  private func rounding(of total: Int64) throws(FareError) -> Int64 {
    let coins = try Amount.quotient(Int128(total), rates.cashUnit)
    let (rounded, overflow) = coins.multipliedReportingOverflow(by: rates.cashUnit)
    guard !overflow else { throw .overflow }
    return rounded - total
  }

  private static func validate(_ trip: TripMeasure) throws(FareError) {
    guard trip.distanceM >= 0 else { throw .outOfRange(.distance) }
    guard trip.durationS >= 0 else { throw .outOfRange(.duration) }
    guard FareRates.minutesOfDay.contains(trip.startMinuteOfDay) else { throw .outOfRange(.minuteOfDay) }
  }
}
