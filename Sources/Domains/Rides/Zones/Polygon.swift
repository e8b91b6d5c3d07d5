/// An area whose edges are straight in latitude and longitude. It may cross the 180th meridian, but spans no pole.
struct Polygon: Sendable, Equatable {
  /// Corners as (longitude, latitude), where longitudes go on beyond ±180 so that each edge is the short way.
  private let corners: [Point]

  struct Point: Sendable, Equatable {
    var x: Double
    var y: Double
  }

  /// Nil unless there are three distinct corners or more, no edges that cross or touch, and an area that does not
  /// span a pole.
  init?(_ coordinates: [Coordinate]) {
    let corners = Self.unrolled(coordinates)
    guard corners.count >= 3, let first = corners.first, let last = corners.last,
      abs(first.x - last.x) <= 180, Self.area(corners) != 0, !Self.crossesItself(corners)
    else { return nil }
    self.corners = corners
  }

  /// Corners that passed the other initializer before: stored ones need not be judged again.
  init(checked coordinates: [Coordinate]) {
    corners = Self.unrolled(coordinates)
  }

  /// Longitudes that go on beyond ±180, without the repetition of the first corner at the end.
  private static func unrolled(_ coordinates: [Coordinate]) -> [Point] {
    var corners: [Point] = []
    for coordinate in coordinates {
      var x = coordinate.longitude
      if let last = corners.last { x += ((last.x - x) / 360).rounded() * 360 }
      corners.append(Point(x: x, y: coordinate.latitude))
    }
    if corners.count > 3, corners.first == corners.last { corners.removeLast() }
    return corners
  }

  /// Whether the place lies inside, or on a southern or western edge.
  func contains(_ place: Coordinate) -> Bool {
    guard let first = corners.first else { return false }
    let x = place.longitude + ((first.x - place.longitude) / 360).rounded() * 360
    // A polygon that is wider than a half turn may hold the place one turn further on.
    return [x, x - 360, x + 360].contains { contains(Point(x: $0, y: place.latitude)) }
  }

  /// Counts the edges that a ray to the east crosses: an odd number means inside.
  private func contains(_ point: Point) -> Bool {
    var isInside = false
    var previous = corners[corners.count - 1]
    for corner in corners {
      if (corner.y > point.y) != (previous.y > point.y) {
        let share = (point.y - corner.y) / (previous.y - corner.y)
        if point.x < corner.x + share * (previous.x - corner.x) { isInside.toggle() }
      }
      previous = corner
    }
    return isInside
  }

  private static func area(_ corners: [Point]) -> Double {
    var sum = 0.0
    var previous = corners[corners.count - 1]
    for corner in corners {
      sum += previous.x * corner.y - corner.x * previous.y
      previous = corner
    }
    return sum / 2
  }

  /// Quadratic in the corners, of which the protos allow 500.
  private static func crossesItself(_ corners: [Point]) -> Bool {
    let count = corners.count
    for i in 0..<count {
      let (a, b) = (corners[i], corners[(i + 1) % count])
      if a == b { return true }
      for j in (i + 1)..<count {
        let isNeighbour = j == i + 1 || (i == 0 && j == count - 1)
        let (c, d) = (corners[j], corners[(j + 1) % count])
        if !isNeighbour && segmentsMeet(a, b, c, d) { return true }
      }
    }
    return false
  }

  private static func segmentsMeet(_ a: Point, _ b: Point, _ c: Point, _ d: Point) -> Bool {
    let (abc, abd) = (turn(a, b, c), turn(a, b, d))
    let (cda, cdb) = (turn(c, d, a), turn(c, d, b))
    if abc * abd < 0 && cda * cdb < 0 { return true }
    return (abc == 0 && isBetween(a, b, c)) || (abd == 0 && isBetween(a, b, d))
      || (cda == 0 && isBetween(c, d, a)) || (cdb == 0 && isBetween(c, d, b))
  }

  /// Positive if the way from `a` over `b` to `c` turns left, 0 if it is straight.
  private static func turn(_ a: Point, _ b: Point, _ c: Point) -> Double {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
  }

  private static func isBetween(_ a: Point, _ b: Point, _ c: Point) -> Bool {
    min(a.x, b.x) <= c.x && c.x <= max(a.x, b.x) && min(a.y, b.y) <= c.y && c.y <= max(a.y, b.y)
  }
}
