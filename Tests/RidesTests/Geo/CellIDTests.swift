import Base
import Testing

@testable import Rides

@Suite struct CellIDTests {
  @Test func `cells and parents are those of S2`() throws {
    let golden = try S2Golden.load()
    try #require(golden.points.count > 250)
    for point in golden.points {
      #expect(CellID(point.coordinate, level: CellID.maximumLevel) == point.leaf)
      #expect(CellID(point.coordinate, level: S2Golden.level) == point.cell)
      #expect(point.leaf.parent(level: S2Golden.level) == point.cell)
    }
  }

  @Test func `neighbours are those of S2, also across the edges of faces`() throws {
    let golden = try S2Golden.load()
    try #require(!golden.points.isEmpty)
    for point in golden.points {
      #expect(Set(point.cell.edgeNeighbours) == point.edgeNeighbours)
      #expect(Set(point.cell.neighbours) == point.neighbours)
      #expect(point.cell.neighbours.count == point.neighbours.count, "none is given twice")
    }
  }

  @Test func `each level's cell contains the finer one and lies in the coarser one`() {
    let random = SeededRandomSource(seed: 2)
    for _ in 0..<200 {
      let place = random.place()
      let leaf = CellID(place, level: CellID.maximumLevel)
      #expect(leaf.isValid && leaf.level == CellID.maximumLevel)
      for level in 0..<CellID.maximumLevel {
        let cell = CellID(place, level: level)
        #expect(cell.isValid && cell.level == level && cell.face == leaf.face)
        #expect(cell == leaf.parent(level: level))
        #expect(cell.contains(leaf) && cell.contains(cell) && !leaf.contains(cell))
        let (column, row) = cell.gridPosition
        #expect(CellID(face: cell.face, column: column, row: row, level: level) == cell)
      }
    }
  }

  @Test func `being neighbours is mutual`() {
    let random = SeededRandomSource(seed: 3)
    for _ in 0..<500 {
      let cell = CellID(random.place(), level: Int(random.below(20)) + 1)
      for neighbour in cell.neighbours {
        #expect(neighbour.level == cell.level && neighbour != cell)
        #expect(neighbour.neighbours.contains(cell))
      }
    }
  }

  @Test func `numbers that are no cell are known as such`() {
    for rawValue in [0, 0x2, 0x8, UInt64.max << 61 | 1, 0x4000_0000_0000_0002] as [UInt64] {
      #expect(!CellID(rawValue: rawValue).isValid)
    }
    for rawValue in [1, 0x1000_0000_0000_0000, 0x4000_0000_0000_0004] as [UInt64] {
      #expect(CellID(rawValue: rawValue).isValid)
    }
  }
}
