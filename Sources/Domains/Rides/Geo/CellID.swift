/// One cell of the S2 subdivision of the sphere, bit for bit the id that Google's S2 library gives it.
///
/// The sphere is six cube faces; each divides into four, 30 times over. Within a face the cells are numbered along a
/// Hilbert curve, so that near numbers are near places. The 64 bits, from the top: 3 of face, 2 for each level, a 1 that
/// marks where the levels end, zeros. Hence the cells inside a cell are one range of numbers, and the parent of a cell
/// is a matter of masking.
struct CellID: Sendable, Hashable, Comparable {
  let rawValue: UInt64

  static let maximumLevel = 30

  /// The cell at `level` (0 to 30) around a place.
  init(_ coordinate: Coordinate, level: Int) {
    self.init(containing: coordinate.direction, level: level)
  }

  /// The cell at `level` (0 to 30) around a direction from the centre of the earth.
  init(containing direction: Vector, level: Int) {
    let point = CubePoint(direction)
    self.init(
      face: point.face,
      column: Self.index(CubePoint.even(point.u), level: level),
      row: Self.index(CubePoint.even(point.v), level: level),
      level: level)
  }

  /// The cell at a place of a face's grid of 2^level × 2^level.
  init(face: Int, column: Int, row: Int, level: Int) {
    var curve = HilbertCurve(face: face)
    var position = UInt64(face)
    for bit in (0..<level).reversed() {
      position = position << 2 | curve.descend(toColumn: column >> bit & 1, row: row >> bit & 1)
    }
    let unusedBits = UInt64(2 * (Self.maximumLevel - level))
    rawValue = position << (unusedBits + 1) | 1 << unusedBits
  }

  /// Takes the number as it is; `isValid` tells whether it names a cell.
  init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Whether this number names a cell: a face from 0 to 5, and the marker bit at an even place.
  var isValid: Bool {
    rawValue >> 61 < 6 && markerBit & 0x1555_5555_5555_5555 != 0
  }

  /// 0 to 5.
  var face: Int { Int(rawValue >> 61) }

  /// How often the face was divided: 0 is the whole face, 30 about a square centimetre.
  var level: Int { Self.maximumLevel - rawValue.trailingZeroBitCount / 2 }

  /// The cell of a coarser level (or the same) that contains this one.
  func parent(level: Int) -> CellID {
    precondition((0...self.level).contains(level), "a cell has no parent at a finer level")
    let marker = UInt64(1) << UInt64(2 * (Self.maximumLevel - level))
    return CellID(rawValue: rawValue & (0 &- marker) | marker)
  }

  /// Whether `other` is this cell or lies inside it.
  func contains(_ other: CellID) -> Bool {
    other.rawValue >= rawValue - (markerBit - 1) && other.rawValue <= rawValue + (markerBit - 1)
  }

  /// The cell's column and row in its face's grid of 2^level × 2^level.
  var gridPosition: (column: Int, row: Int) {
    var curve = HilbertCurve(face: face)
    var (column, row) = (0, 0)
    for depth in 0..<level {
      let quadrant = curve.descend(toPosition: rawValue >> UInt64(59 - 2 * depth) & 3)
      column = column << 1 | quadrant.column
      row = row << 1 | quadrant.row
    }
    return (column, row)
  }

  static func < (a: CellID, b: CellID) -> Bool { a.rawValue < b.rawValue }

  private var markerBit: UInt64 { rawValue & (0 &- rawValue) }

  /// The column or row at `level` of an evenly spaced coordinate from 0 to 1.
  private static func index(_ s: Double, level: Int) -> Int {
    // Through the finest grid, so that the last bit is the same whichever level was asked for.
    let size = 1 << maximumLevel
    return max(0, min(size - 1, Int((Double(size) * s).rounded(.down)))) >> (maximumLevel - level)
  }
}

/// The way down the Hilbert curve of one face, a quadrant at a time.
///
/// In its plain form the curve visits the quadrants (column, row) as (0,0), (0,1), (1,1), (1,0): the order of a 2-bit
/// Gray code. In the first quadrant the finer curve has its axes swapped; in the last, swapped and inverted.
private struct HilbertCurve {
  private var axesAreSwapped: Bool
  private var axesAreInverted = false

  init(face: Int) {
    axesAreSwapped = face & 1 == 1
  }

  /// Goes to a quadrant; answers its position, 0 to 3, along the curve.
  mutating func descend(toColumn column: Int, row: Int) -> UInt64 {
    let quadrant = turned(UInt64(column << 1 | row))
    let position = quadrant ^ quadrant >> 1
    turn(at: position)
    return position
  }

  /// Goes to a position, 0 to 3, along the curve; answers the quadrant.
  mutating func descend(toPosition position: UInt64) -> (column: Int, row: Int) {
    let quadrant = turned(position ^ position >> 1)
    turn(at: position)
    return (Int(quadrant >> 1), Int(quadrant & 1))
  }

  /// Between the face's axes and the curve's own; its own inverse.
  private func turned(_ quadrant: UInt64) -> UInt64 {
    let inverted = axesAreInverted ? quadrant ^ 3 : quadrant
    return axesAreSwapped ? inverted >> 1 | (inverted & 1) << 1 : inverted
  }

  private mutating func turn(at position: UInt64) {
    if position == 0 || position == 3 { axesAreSwapped.toggle() }
    if position == 3 { axesAreInverted.toggle() }
  }
}
