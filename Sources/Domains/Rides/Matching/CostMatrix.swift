/// What it costs to give each column to each row.
struct CostMatrix {
  let rows: Int
  let columns: Int
  private var costs: [Int]

  /// A matrix of zeros.
  init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    costs = Array(repeating: 0, count: rows * columns)
  }

  subscript(row: Int, column: Int) -> Int {
    get { costs[row * columns + column] }
    set { costs[row * columns + column] = newValue }
  }

  /// Pairs of row and column, none used twice, as many as the shorter side has, with the least sum of costs. In the
  /// order of the shorter side. Takes time in the order of shorter² × longer.
  func minimumCostAssignment() -> [(row: Int, column: Int)] {
    if rows <= columns {
      var solver = AssignmentSolver(costs: self)
      return solver.solve().enumerated().map { (row: $0, column: $1) }
    }
    var solver = AssignmentSolver(costs: transposed)
    return solver.solve().enumerated().map { (row: $1, column: $0) }
  }

  private var transposed: CostMatrix {
    var result = CostMatrix(rows: columns, columns: rows)
    for row in 0..<rows {
      for column in 0..<columns {
        result[column, row] = self[row, column]
      }
    }
    return result
  }
}

/// The Hungarian method with shortest augmenting paths (Kuhn 1955; Jonker and Volgenant 1987).
///
/// Rows are admitted one by one. A new row may push others off their columns, as long as the chain ends at a free
/// column; the cheapest such chain is a shortest path, found as by Dijkstra. To keep the lengths of its steps from
/// being negative, each row and column carries a potential, so that `cost − row potential − column potential` is at
/// least 0 everywhere and exactly 0 for each pair in use.
private struct AssignmentSolver {
  private let costs: CostMatrix
  private var rowPotentials: [Int]
  private var columnPotentials: [Int]
  private var rowOfColumn: [Int?]
  private var columnOfRow: [Int?]

  // The search of one row: the shortest length to each column, the row it was reached from, and whether it is final.
  private var lengths: [Int]
  private var reachedFrom: [Int]
  private var isFinal: [Bool]

  init(costs: CostMatrix) {
    precondition(costs.rows <= costs.columns, "each row needs a column")
    self.costs = costs
    rowPotentials = Array(repeating: 0, count: costs.rows)
    columnPotentials = Array(repeating: 0, count: costs.columns)
    rowOfColumn = Array(repeating: nil, count: costs.columns)
    columnOfRow = Array(repeating: nil, count: costs.rows)
    lengths = Array(repeating: 0, count: costs.columns)
    reachedFrom = Array(repeating: 0, count: costs.columns)
    isFinal = Array(repeating: false, count: costs.columns)
  }

  /// The column of each row.
  mutating func solve() -> [Int] {
    for row in 0..<costs.rows {
      let (freeColumn, length) = shortestPath(from: row)
      raisePotentials(from: row, length: length)
      augment(to: freeColumn, from: row)
    }
    return columnOfRow.compactMap(\.self)
  }

  /// The nearest free column and how far it is. Equal lengths are decided by the column's number, so the outcome
  /// depends on the costs alone.
  private mutating func shortestPath(from start: Int) -> (column: Int, length: Int) {
    for column in 0..<costs.columns {
      lengths[column] = .max
      isFinal[column] = false
    }
    var row = start
    var length = 0
    while true {
      var nearest = -1
      for column in 0..<costs.columns where !isFinal[column] {
        let candidate = length + costs[row, column] - rowPotentials[row] - columnPotentials[column]
        if candidate < lengths[column] {
          lengths[column] = candidate
          reachedFrom[column] = row
        }
        if nearest < 0 || lengths[column] < lengths[nearest] { nearest = column }
      }
      length = lengths[nearest]
      isFinal[nearest] = true
      guard let next = rowOfColumn[nearest] else { return (nearest, length) }
      row = next
    }
  }

  /// Makes the shortest path's steps cost 0, and no other step negative.
  private mutating func raisePotentials(from start: Int, length: Int) {
    rowPotentials[start] += length
    for column in 0..<costs.columns where isFinal[column] {
      let slack = length - lengths[column]
      columnPotentials[column] -= slack
      if let row = rowOfColumn[column] { rowPotentials[row] += slack }
    }
  }

  /// Moves each row of the path over to the column through which it was left.
  private mutating func augment(to freeColumn: Int, from start: Int) {
    var column = freeColumn
    while true {
      let row = reachedFrom[column]
      let freed = columnOfRow[row]
      columnOfRow[row] = column
      rowOfColumn[column] = row
      guard row != start, let freed else { return }
      column = freed
    }
  }
}
