import Base
import Testing

@testable import Rides

@Suite struct CapTests {
  @Test func `coverings are those of S2, also at face edges, poles and 180 degrees`() throws {
    let golden = try S2Golden.load()
    try #require(golden.coverings.count > 60)
    for covering in golden.coverings {
      let cap = Cap(centre: covering.centre, radiusMetres: covering.radiusMetres)
      #expect(cap.covering(level: S2Golden.level) == covering.cells)
    }
  }

  @Test func `every place within the radius lies in a covering cell`() throws {
    let random = SeededRandomSource(seed: 4)
    // The places where a covering could go wrong, and as many ordinary ones.
    let special = try S2Golden.load().points.prefix(60).map(\.coordinate)
    let centres = special + (0..<60).map { _ in random.place() }
    for centre in centres {
      let radius = random.number(in: 0...8_000)
      let cells = Set(Cap(centre: centre, radiusMetres: radius).covering(level: S2Golden.level))
      for _ in 0..<200 {
        let place = random.place(within: radius, of: centre)
        #expect(cells.contains(CellID(place, level: S2Golden.level)))
      }
    }
  }

  @Test func `a cap within one cell is covered by that cell`() {
    let place = Coordinate.at(60.1699, 24.9384)
    #expect(Cap(centre: place, radiusMetres: 1).covering(level: 13) == [CellID(place, level: 13)])
    #expect(Cap(centre: place, radiusMetres: 5_000).covering(level: 2) == [CellID(place, level: 2)])
  }
}
