/// What a trip measures: its length, its time and when it begins.
struct TripMeasure: Sendable, Equatable {
  /// Metres, at least 0.
  var distanceM: Int64

  /// Seconds under way, at least 0.
  var durationS: Int64

  /// When it begins, in minutes of the city's day, 0 to 1439: decides about the night surcharge.
  var startMinuteOfDay: Int
}

/// A discount. It never touches waiting, tolls and tax.
enum FareCoupon: Sendable, Equatable {
  /// So many minor units, at least 0.
  case amount(Int64)

  /// A part in basis points, 0 to 10,000, but at most so many minor units.
  case portion(basisPoints: Int64, atMost: Int64)
}

/// Everything a receipt is made of, beside the rates that `ratesVersion` names. Stored with the ride, so that the
/// receipt can be recomputed at any time, byte for byte.
struct MeterInputs: Sendable, Equatable {
  /// The version of the rates that the quote was made with.
  var ratesVersion: Int64

  /// The tick of the surge and its factor in basis points, at least 10,000; both frozen with the quote.
  var surgeVersion: Int64 = 0
  var surgeBasisPoints: Int64 = BasisPoints.whole

  /// What the quote promised.
  var quoted: TripMeasure

  /// What was driven: the matched distance and the time with the rider on board.
  var metered: TripMeasure

  /// Whether the ride had other stops than the quote.
  var stopsChanged = false

  /// Seconds of waiting at the pickup, the free minutes included.
  var waitingS: Int64 = 0

  /// Tolls paid under way, in minor units.
  var tolls: Int64 = 0

  var coupon: FareCoupon?

  /// Whether the quote binds: same stops, and a distance of at most 1.2 times the quoted one plus 500 metres.
  var quoteBinds: Bool {
    !stopsChanged && 10 * Int128(metered.distanceM) <= 12 * Int128(quoted.distanceM) + 10 * 500
  }
}

extension MeterInputs {
  private static let formatVersion: Int64 = 1

  /// The one way to write these inputs as bytes: 16 numbers of 8 bytes each, big end first. Equal inputs have equal
  /// bytes, and other inputs have others.
  var canonicalBytes: [UInt8] {
    let couponFields: [Int64] =
      switch coupon {
      case nil: [0, 0, 0]
      case .amount(let amount): [1, amount, 0]
      case .portion(let basisPoints, let most): [2, basisPoints, most]
      }
    let fields: [Int64] =
      [
        Self.formatVersion, ratesVersion, surgeVersion, surgeBasisPoints,
        quoted.distanceM, quoted.durationS, Int64(quoted.startMinuteOfDay),
        metered.distanceM, metered.durationS, Int64(metered.startMinuteOfDay),
        stopsChanged ? 1 : 0, waitingS, tolls,
      ] + couponFields
    return fields.flatMap { field in
      stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: field >> Int64($0)) }
    }
  }

  /// Reads what `canonicalBytes` wrote.
  /// - Throws: `.malformedInputs` for anything else.
  init(canonicalBytes bytes: [UInt8]) throws(FareError) {
    guard bytes.count == 16 * 8 else { throw .malformedInputs }
    let fields = stride(from: 0, to: bytes.count, by: 8).map { start in
      bytes[start..<start + 8].reduce(Int64(0)) { $0 << 8 | Int64($1) }
    }
    guard fields[0] == Self.formatVersion, (0...1).contains(fields[10]) else { throw .malformedInputs }
    switch (fields[13], fields[14], fields[15]) {
    case (0, 0, 0): coupon = nil
    case (1, let amount, 0): coupon = .amount(amount)
    case (2, let basisPoints, let most): coupon = .portion(basisPoints: basisPoints, atMost: most)
    default: throw .malformedInputs
    }
    ratesVersion = fields[1]
    surgeVersion = fields[2]
    surgeBasisPoints = fields[3]
    quoted = TripMeasure(distanceM: fields[4], durationS: fields[5], startMinuteOfDay: Int(fields[6]))
    metered = TripMeasure(distanceM: fields[7], durationS: fields[8], startMinuteOfDay: Int(fields[9]))
    stopsChanged = fields[10] == 1
    waitingS = fields[11]
    tolls = fields[12]
  }
}
