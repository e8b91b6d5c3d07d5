import Base
import Glibc

@testable import Rides

extension RandomSource {
  /// A uniform number from `range`.
  func number(in range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * Double(next() >> 11) / Double(1 << 53)
  }

  /// A uniform integer from `range`.
  func integer(in range: ClosedRange<Int64>) -> Int64 {
    range.lowerBound + Int64(below(UInt64(range.upperBound - range.lowerBound) + 1))
  }

  /// A place uniform on the sphere.
  func place() -> Coordinate {
    .at(asin(number(in: -1...1)) * 180 / .pi, number(in: -180...180))
  }

  /// A place within `metres` of `centre`, uniform in distance and bearing.
  func place(within metres: Double, of centre: Coordinate) -> Coordinate {
    centre.moved(metres: number(in: 0...metres), bearingDegrees: number(in: 0...360))
  }

  /// The elements in a random order.
  func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for index in result.indices.reversed() where index > 0 {
      result.swapAt(index, Int(below(UInt64(index) + 1)))
    }
    return result
  }
}

extension Coordinate {
  /// Where a great circle from here leads.
  func moved(metres: Double, bearingDegrees: Double) -> Coordinate {
    let (latitude, bearing) = (latitude * .pi / 180, bearingDegrees * .pi / 180)
    let angle = metres / Coordinate.earthRadiusMetres
    let sine = sin(latitude) * cos(angle) + cos(latitude) * sin(angle) * cos(bearing)
    let turn = atan2(sin(bearing) * sin(angle) * cos(latitude), cos(angle) - sin(latitude) * sine)
    return .at(asin(max(-1, min(1, sine))) * 180 / .pi, longitude + turn * 180 / .pi)
  }

  /// A coordinate known to be right once its longitude is brought into range.
  static func at(_ latitude: Double, _ longitude: Double) -> Coordinate {
    let turned = remainder(longitude, 360)
    // Both components are in range by now.
    return try! Coordinate(latitude: latitude, longitude: max(-180, min(180, turned)))
  }
}
