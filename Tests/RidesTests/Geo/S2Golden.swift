import Foundation
import Testing

@testable import Rides

/// What s2sphere says; see make_s2_golden.py.
struct S2Golden {
  struct Point {
    let coordinate: Coordinate
    let leaf: CellID
    let cell: CellID
    let edgeNeighbours: Set<CellID>
    let neighbours: Set<CellID>
  }

  struct Covering {
    let centre: Coordinate
    let radiusMetres: Double
    let cells: [CellID]
  }

  var points: [Point] = []
  var coverings: [Covering] = []

  static let level = 13

  static func load() throws -> S2Golden {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "s2_golden.txt")
    var golden = S2Golden()
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#") {
      let columns = line.split(separator: " ")
      let coordinate = try Coordinate(
        latitude: #require(Double(columns[1])), longitude: #require(Double(columns[2])))
      if columns[0] == "point" {
        golden.points.append(
          Point(
            coordinate: coordinate, leaf: try cell(columns[3]), cell: try cell(columns[4]),
            edgeNeighbours: try Set(cells(columns[5])), neighbours: try Set(cells(columns[6]))))
      } else {
        golden.coverings.append(
          Covering(
            centre: coordinate, radiusMetres: try #require(Double(columns[3])), cells: try cells(columns[4])))
      }
    }
    return golden
  }

  private static func cells(_ text: Substring) throws -> [CellID] {
    try text.split(separator: ",").map(cell)
  }

  /// An S2 token: the id in hexadecimal without the zeros at its end.
  private static func cell(_ token: Substring) throws -> CellID {
    let digits = token + String(repeating: "0", count: 16 - token.count)
    return CellID(rawValue: try #require(UInt64(digits, radix: 16)))
  }
}
