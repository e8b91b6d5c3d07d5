import Glibc

/// All places within a distance of one place: a disc on the sphere.
struct Cap: Sendable {
  let centre: Coordinate
  private let axis: Vector
  /// The square of the straight line from the axis to the rim, on the unit sphere. Unlike the cosine of the angle it
  /// keeps its precision when the cap is small.
  private let chordSquared: Double
  private let sineSquared: Double

  /// The largest radius, a tenth of the way around the earth: `covering` is made for cities, and its cost grows with
  /// the area.
  static let maximumRadiusMetres = 4_000_000.0

  /// A cap is this much wider than asked, so that rounding loses no place on its rim.
  static let marginMetres = 0.001

  /// - Parameter radiusMetres: 0 to `maximumRadiusMetres`.
  init(centre: Coordinate, radiusMetres: Double) {
    precondition((0...Self.maximumRadiusMetres).contains(radiusMetres), "the radius of a cap is out of range")
    let angle = (radiusMetres + Self.marginMetres) / Coordinate.earthRadiusMetres
    self.centre = centre
    axis = centre.direction
    chordSquared = 4 * sin(angle / 2) * sin(angle / 2)
    sineSquared = sin(angle) * sin(angle)
  }

  /// Whether a point of the unit sphere lies in the cap.
  func contains(_ point: Vector) -> Bool {
    (point - axis).lengthSquared <= chordSquared
  }

  /// Whether cap and cell have a point in common.
  func intersects(_ cell: CellID) -> Bool {
    let corners = cell.corners
    if corners.contains(where: { contains($0.normalized) }) { return true }
    // No corner is inside. Then they meet only if the cap's centre lies in the cell, or if the cap bulges through the
    // middle of an edge.
    var centreIsInside = true
    for index in 0..<4 {
      let (start, end) = (corners[index], corners[(index + 1) & 3])
      let inward = start.cross(end)
      let height = axis.dot(inward)
      if height >= 0 { continue }
      centreIsInside = false
      // The great circle through this edge keeps the whole cap on its outer side.
      if height * height > sineSquared * inward.lengthSquared { return false }
      // It cuts the cap; does it do so between the two corners?
      let along = inward.cross(axis)
      if along.dot(start) < 0 && along.dot(end) > 0 { return true }
    }
    return centreIsInside
  }

  /// The cells of a level that have a point in common with the cap, in rising order. Each place of the cap lies in one
  /// of them.
  ///
  /// They are found by spreading from the centre's cell to its neighbours. None is missed: the straight way from the
  /// centre to any point of the cap stays in the cap, and consecutive cells along it share an edge or a corner.
  func covering(level: Int) -> [CellID] {
    let start = CellID(containing: axis, level: level)
    var seen: Set<CellID> = [start]
    var result = [start]
    var next = 0
    while next < result.count {
      for cell in result[next].neighbours where seen.insert(cell).inserted && intersects(cell) {
        result.append(cell)
      }
      next += 1
    }
    return result.sorted()
  }
}

extension CellID {
  /// The four corners, counter-clockwise seen from outside, as directions that are not normalized.
  var corners: [Vector] {
    let (column, row) = gridPosition
    let scale = 1 / Double(1 << level)
    let left = CubePoint.projected(Double(column) * scale)
    let right = CubePoint.projected(Double(column + 1) * scale)
    let bottom = CubePoint.projected(Double(row) * scale)
    let top = CubePoint.projected(Double(row + 1) * scale)
    return [(left, bottom), (right, bottom), (right, top), (left, top)].map {
      CubePoint(face: face, u: $0.0, v: $0.1).direction
    }
  }
}
