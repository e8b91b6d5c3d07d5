extension CellID {
  /// The four cells of the same level that share an edge with this one, below, right, above and left of it. At the rim
  /// of a face they lie on the next face; nothing is special about that for the caller.
  var edgeNeighbours: [CellID] {
    let (column, row) = gridPosition
    return [(0, -1), (1, 0), (0, 1), (-1, 0)].map { step in
      wrapped(column: column + step.0, row: row + step.1)
    }
  }

  /// The cells of the same level that share an edge or a corner with this one: eight, and seven at the corners of the
  /// cube, where only three cells meet. No order is promised.
  var neighbours: [CellID] {
    let (column, row) = gridPosition
    var result: [CellID] = []
    result.reserveCapacity(8)
    for columnStep in -1...1 {
      for rowStep in -1...1 where (columnStep, rowStep) != (0, 0) {
        let isOffBothEnds = isOutside(column + columnStep) && isOutside(row + rowStep)
        if !isOffBothEnds {
          result.append(wrapped(column: column + columnStep, row: row + rowStep))
        }
      }
    }
    return result
  }

  private func isOutside(_ index: Int) -> Bool {
    index < 0 || index >= 1 << level
  }

  /// The cell at a grid position that may be one step off the face.
  private func wrapped(column: Int, row: Int) -> CellID {
    guard isOutside(column) || isOutside(row) else {
      return CellID(face: face, column: column, row: row, level: level)
    }
    // Put the middle of the wanted cell, pulled to just beyond the rim, on the plane of this face, and see which face
    // the sphere has there. The plain linear scale is right here: along the rim both faces are divided alike, and
    // across it any point just beyond will do.
    let scale = 2 / Double(1 << level)
    let limit = 1.0.nextUp
    let beyond = CubePoint(
      face: face,
      u: max(-limit, min(limit, (Double(column) + 0.5) * scale - 1)),
      v: max(-limit, min(limit, (Double(row) + 0.5) * scale - 1)))
    let point = CubePoint(beyond.direction)
    let last = (1 << level) - 1
    return CellID(
      face: point.face,
      column: max(0, min(last, Int((point.u + 1) / scale))),
      row: max(0, min(last, Int((point.v + 1) / scale))),
      level: level)
  }
}
