import Base

/// Where the drivers of a city are, by cell, to find those near a place. A pure value; the owner places a driver with
/// each accepted position and removes who goes offline.
///
/// Each driver is in exactly one cell, that of the position placed last. Placing and removing take constant time; a
/// search looks at the drivers of the cells that touch its circle, and keeps no more than it was asked for.
struct DriverIndex: Sendable {
  /// Cells of about 1.3 square kilometres: 4 to 12 of them cover the first circle of a search.
  static let cellLevel = 13

  /// The first and the last radius of a search, in metres. Each circle is twice as wide as the one before.
  static let radii = (first: 1_000.0, last: 8_000.0)

  /// A search stops widening when it has found this many, and answers no more.
  static let searchLimit = 20

  /// A driver near a place.
  struct Hit: Sendable, Equatable {
    let driver: Identifier
    let coordinate: Coordinate
    let distanceMetres: Double
  }

  private struct Entry {
    let driver: Identifier
    let coordinate: Coordinate
  }

  private struct Slot {
    let cell: CellID
    let index: Int
  }

  private var cells: [CellID: [Entry]] = [:]
  private var slots: [Identifier: Slot] = [:]

  init() {}

  /// How many drivers the index holds.
  var count: Int { slots.count }

  /// The cell that a driver is in; nil for one who is not in the index.
  func cell(of driver: Identifier) -> CellID? {
    slots[driver]?.cell
  }

  /// The place of a driver; nil for one who is not in the index.
  func coordinate(of driver: Identifier) -> Coordinate? {
    slots[driver].flatMap { cells[$0.cell]?[$0.index].coordinate }
  }

  /// Puts a driver at a place, out of the one before.
  mutating func place(_ driver: Identifier, at coordinate: Coordinate) {
    let cell = CellID(coordinate, level: Self.cellLevel)
    let entry = Entry(driver: driver, coordinate: coordinate)
    if let slot = slots[driver], slot.cell == cell {
      cells[cell]?[slot.index] = entry
      return
    }
    remove(driver)
    slots[driver] = Slot(cell: cell, index: cells[cell]?.count ?? 0)
    cells[cell, default: []].append(entry)
  }

  /// Takes a driver out. Harmless for one who is not in the index.
  mutating func remove(_ driver: Identifier) {
    guard let slot = slots.removeValue(forKey: driver), let last = cells[slot.cell]?.popLast() else { return }
    if last.driver != driver {
      // The last of the cell takes the free place.
      cells[slot.cell]?[slot.index] = last
      slots[last.driver] = slot
    } else if cells[slot.cell]?.isEmpty == true {
      cells[slot.cell] = nil
    }
  }

  /// The drivers nearest to a place, by distance and then by id: at most `limit`, within 8 km.
  ///
  /// Circles of 1, 2, 4 and 8 km are searched until one holds `limit` drivers that match.
  /// - Parameter matches: whether a driver is wanted; asked once for each driver in a circle's cells, in no order.
  func nearest(
    to place: Coordinate, limit: Int = searchLimit, where matches: (Identifier) -> Bool = { _ in true }
  ) -> [Hit] {
    var nearest = NearestHits(limit: limit)
    var searched: Set<CellID> = []
    var radius = Self.radii.first
    while true {
      for cell in Cap(centre: place, radiusMetres: radius).covering(level: Self.cellLevel)
      where searched.insert(cell).inserted {
        for entry in cells[cell] ?? [] where matches(entry.driver) {
          nearest.insert(
            Hit(
              driver: entry.driver, coordinate: entry.coordinate,
              distanceMetres: place.distance(to: entry.coordinate)))
        }
      }
      // Hits beyond the circle do not count: someone nearer may be in a cell that was not searched yet.
      if nearest.count(within: radius) >= limit || radius >= Self.radii.last {
        return nearest.hits.filter { $0.distanceMetres <= radius }
      }
      radius *= 2
    }
  }
}

/// The nearest of the hits inserted so far, sorted.
private struct NearestHits {
  let limit: Int
  private(set) var hits: [DriverIndex.Hit] = []

  init(limit: Int) {
    precondition(limit > 0, "a search for nobody")
    self.limit = limit
  }

  mutating func insert(_ hit: DriverIndex.Hit) {
    if hits.count == limit {
      guard isBefore(hit, hits[limit - 1]) else { return }
      hits.removeLast()
    }
    let index = hits.lastIndex { isBefore($0, hit) }.map { $0 + 1 } ?? 0
    hits.insert(hit, at: index)
  }

  func count(within radius: Double) -> Int {
    hits.count { $0.distanceMetres <= radius }
  }

  private func isBefore(_ a: DriverIndex.Hit, _ b: DriverIndex.Hit) -> Bool {
    (a.distanceMetres, a.driver) < (b.distanceMetres, b.driver)
  }
}
