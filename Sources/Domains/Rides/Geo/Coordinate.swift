import Glibc

/// A place on the earth in degrees, WGS 84. A value of this type is always in range and never NaN.
struct Coordinate: Sendable, Hashable {
  /// Degrees north of the equator, −90 to 90.
  let latitude: Double

  /// Degrees east of Greenwich, −180 to 180; both ends mean the same meridian.
  let longitude: Double

  /// The mean radius of the earth, the same figure that S2 uses.
  static let earthRadiusMetres = 6_371_010.0

  static let latitudes = -90.0...90.0
  static let longitudes = -180.0...180.0

  /// - Throws: `CoordinateError` naming each component that is out of range or not a number.
  init(latitude: Double, longitude: Double) throws(CoordinateError) {
    // A range contains no NaN, so these two tests refuse it too.
    let error = CoordinateError(
      latitudeIsBad: !Self.latitudes.contains(latitude), longitudeIsBad: !Self.longitudes.contains(longitude))
    guard !error.latitudeIsBad, !error.longitudeIsBad else { throw error }
    self.latitude = latitude
    self.longitude = longitude
  }

  /// The great-circle distance in metres, by the haversine formula: exact at short range, where the plain law of
  /// cosines loses all its digits.
  func distance(to other: Coordinate) -> Double {
    let latitudes = (latitude * Self.radiansPerDegree, other.latitude * Self.radiansPerDegree)
    let sineOfHalfLatitude = sin((latitudes.1 - latitudes.0) / 2)
    let sineOfHalfLongitude = sin((other.longitude - longitude) * Self.radiansPerDegree / 2)
    let haversine =
      sineOfHalfLatitude * sineOfHalfLatitude
      + cos(latitudes.0) * cos(latitudes.1) * sineOfHalfLongitude * sineOfHalfLongitude
    // Rounding may lift antipodes a hair above 1, where the arc sine is undefined.
    return 2 * Self.earthRadiusMetres * asin(min(1, haversine.squareRoot()))
  }

  /// The place as a point on the unit sphere: x toward (0°, 0°), y toward (0°, 90° E), z toward the north pole.
  var direction: Vector {
    let latitude = latitude * Self.radiansPerDegree
    let longitude = longitude * Self.radiansPerDegree
    let equatorial = cos(latitude)
    return Vector(x: cos(longitude) * equatorial, y: sin(longitude) * equatorial, z: sin(latitude))
  }

  private static let radiansPerDegree = Double.pi / 180
}

/// Which components of a coordinate are out of range or not a number: at least one of the two.
struct CoordinateError: Error, Equatable {
  let latitudeIsBad: Bool
  let longitudeIsBad: Bool
}
