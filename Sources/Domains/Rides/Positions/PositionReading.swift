import Base

/// A position as a driver's phone sent it: nothing about it is certain yet.
struct PositionReading: Sendable, Equatable {
  /// A number that the phone raises with every reading, from 1 on.
  var sequence: Int64

  /// How old the reading was when it was sent, in milliseconds. The phone's clock is never asked for the time.
  var ageMilliseconds: Int64

  /// Degrees.
  var latitude: Double
  var longitude: Double

  /// Radius of the 68 % circle in metres.
  var accuracyMetres: Double

  /// Speed over ground in metres per second; nil, negative or not a number when the phone does not know it.
  var speedMetresPerSecond: Double?
}

/// A position that passed the filter.
struct AcceptedPosition: Sendable, Equatable {
  let sequence: Int64

  /// When the reading was taken, by the server's clock.
  let time: Instant

  let coordinate: Coordinate
  let accuracyMetres: Double

  /// Metres per second, at least 0; nil if unknown.
  let speedMetresPerSecond: Double?
}

/// Why a position was refused. The reason on the wire is beside each case.
enum PositionRefusal: Error, Equatable {
  /// `POSITION_OLD`: sequence or time is not after the last one.
  case old

  /// `POSITION_REJECTED`: these fields are out of range, in the order of the enumeration. Never empty.
  case rejected([PositionField])
}

/// The fields of a reading that may be out of range.
enum PositionField: Sendable, CaseIterable {
  case age
  case latitude
  case longitude
  case accuracy
}
