import Testing

@testable import Rides

struct PolygonTests {
  private func coordinates(_ points: [(Double, Double)]) -> [Coordinate] {
    points.compactMap { try? Coordinate(latitude: $0.0, longitude: $0.1) }
  }

  private func isInside(_ polygon: Polygon, _ latitude: Double, _ longitude: Double) throws -> Bool {
    polygon.contains(try Coordinate(latitude: latitude, longitude: longitude))
  }

  @Test func `tells inside from outside, also of a shape with a bay`() throws {
    let bay = try #require(Polygon(coordinates([(0, 0), (0, 10), (10, 10), (5, 5), (10, 0)])))
    #expect(try isInside(bay, 2, 5))
    #expect(try isInside(bay, 8, 1))
    #expect(try !isInside(bay, 8, 5))
    #expect(try !isInside(bay, -1, 5))
    #expect(try !isInside(bay, 2, 11))
  }

  @Test func `crosses the 180th meridian`() throws {
    let fiji = try #require(Polygon(coordinates([(-20, 177), (-20, -178), (-15, -178), (-15, 177)])))
    #expect(try isInside(fiji, -18, 179))
    #expect(try isInside(fiji, -18, -179))
    #expect(try isInside(fiji, -18, 180))
    #expect(try !isInside(fiji, -18, 176))
    #expect(try !isInside(fiji, -18, -177))
    #expect(try !isInside(fiji, -18, 0))
  }

  @Test func `a corner that is repeated at the end closes the ring`() {
    #expect(Polygon(coordinates([(0, 0), (0, 1), (1, 1), (0, 0)])) != nil)
  }

  @Test(
    arguments: [
      [], [(0, 0), (0, 1)], [(0, 0), (0, 1), (0, 2)], [(0, 0), (1, 1), (0, 1), (1, 0)],
      [(0, 0), (0, 0), (1, 1), (1, 0)], [(80, 0), (80, 90), (80, 180), (80, -90)],
    ] as [[(Double, Double)]])
  func `refuses what is no simple area`(corners: [(Double, Double)]) {
    #expect(Polygon(coordinates(corners)) == nil)
  }
}
