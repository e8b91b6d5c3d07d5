/// The prices of one category in one city, in one version that never changes. All amounts are whole minor units of the
/// city's currency and not negative; all rates are integers.
struct FareRates: Sendable, Equatable {
  /// A price per kilometre that holds from a distance on.
  struct Slab: Sendable, Equatable {
    /// Where the slab begins, in metres. It ends where the next one begins.
    var fromM: Int64

    /// Minor units for each kilometre within the slab.
    var perKilometre: Int64
  }

  /// Names these prices for ever; a receipt is recomputed with the version it was made with.
  var version: Int64

  /// The price of getting in.
  var base: Int64 = 0

  /// At least one; the first begins at 0 and each other after the one before.
  var slabs: [Slab]

  /// For each minute under way.
  var perMinute: Int64 = 0

  /// For each minute of waiting at the pickup beyond the free ones, tax included.
  var waitingPerMinute: Int64 = 0

  /// Surcharge at night on base, distance and time, in basis points (1/10,000), 0 to 10,000.
  var nightBasisPoints: Int64 = 0

  /// The night: from the first to before the second minute of the city's day, 0 to 1439 each. It spans midnight if
  /// the first is later; equal means no night.
  var nightFromMinute = 0
  var nightUntilMinute = 0

  /// The least that base, distance, time, night and surge come to.
  var minimum: Int64 = 0

  /// The booking fee.
  var fee: Int64 = 0

  /// Tax on everything but waiting and tolls, which carry their own; in basis points, 0 to 10,000.
  var taxBasisPoints: Int64 = 0

  /// Totals are multiples of this, the smallest coin in use; at least 1.
  var cashUnit: Int64 = 1

  static let minutesOfDay = 0..<1_440

  /// Whether a ride that begins at this minute of the city's day is one at night.
  func isNight(minuteOfDay: Int) -> Bool {
    if nightFromMinute <= nightUntilMinute {
      (nightFromMinute..<nightUntilMinute).contains(minuteOfDay)
    } else {
      minuteOfDay >= nightFromMinute || minuteOfDay < nightUntilMinute
    }
  }

  /// - Throws: `.outOfRange` for a figure that breaks what is documented above.
  func validate() throws(FareError) {
    for amount in [base, perMinute, waitingPerMinute, minimum, fee] {
      guard amount >= 0 else { throw .outOfRange(.amount) }
    }
    guard cashUnit >= 1 else { throw .outOfRange(.amount) }
    for basisPoints in [nightBasisPoints, taxBasisPoints] {
      guard (0...BasisPoints.whole).contains(basisPoints) else { throw .outOfRange(.basisPoints) }
    }
    for minute in [nightFromMinute, nightUntilMinute] {
      guard Self.minutesOfDay.contains(minute) else { throw .outOfRange(.minuteOfDay) }
    }
    guard slabs.first?.fromM == 0, slabs.allSatisfy({ $0.perKilometre >= 0 }),
      zip(slabs, slabs.dropFirst()).allSatisfy({ $0.fromM < $1.fromM })
    else { throw .outOfRange(.slabs) }
  }
}

/// Hundredths of a percent.
enum BasisPoints {
  /// 100 %.
  static let whole: Int64 = 10_000
}
