/// Why a fare cannot be worked out.
enum FareError: Error, Equatable {
  /// An amount does not fit 64 bits: OUT_OF_RANGE on the wire.
  case overflow

  /// This figure is negative, or outside of the range that its documentation names.
  case outOfRange(FareFigure)

  /// The rates are another version than those that the inputs were metered with.
  case wrongRates

  /// The bytes are not what `MeterInputs` writes: DATA_LOSS on the wire.
  case malformedInputs
}

/// The figures that go into a fare.
enum FareFigure: Sendable {
  case amount
  case slabs
  case basisPoints
  case minuteOfDay
  case distance
  case duration
  case waiting
  case tolls
  case coupon
}
