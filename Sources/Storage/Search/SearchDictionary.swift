internal import Base

/// The dictionaries of segments as a node remembers them: where all of their rows begin, so that each is found by its
/// key, and those rows that were used last. Segments do not change. Of a word that nobody has asked for yet, the small
/// segments, which are most, are then answered from memory. Safe to share.
final class SearchDictionary: Sendable {
  private struct Place: Hashable {
    let segment: Int64
    /// The first one of the row.
    let term: Int64
  }

  /// By segment, the terms with which its rows begin.
  private let starts: Locked<BoundedCache<Int64, [Int64]>>
  private let rows: Locked<BoundedCache<Place, [UInt8]>>

  /// What an entry of a cache takes beside what it holds.
  private static let overhead = 128

  /// - Parameters:
  ///   - startBytes: what is remembered of the beginnings of rows.
  ///   - rowBytes: what is remembered of rows.
  init(startBytes: Int, rowBytes: Int) {
    starts = Locked(BoundedCache(capacity: startBytes) { Self.overhead + 8 * $0.count })
    rows = Locked(BoundedCache(capacity: rowBytes) { Self.overhead + $0.count })
  }

  /// Rows that are remembered.
  var count: Int { rows.withLock { $0.count } }

  /// Looks terms up in segments.
  /// - Parameter found: is called for those that are there.
  func find(
    _ wanted: [(segment: Int64, term: Int64)], _ reader: any Reader,
    _ found: (_ segment: Int64, SearchTerms.Entry) -> Void
  ) throws {
    let starts = try starts(of: Set(wanted.map(\.segment)), reader)
    var terms: [Place: [Int64]] = [:]
    for (segment, term) in wanted {
      guard let start = Self.start(of: term, in: starts[segment] ?? []) else { continue }
      terms[Place(segment: segment, term: start), default: []].append(term)
    }
    var unknown: [Place] = []
    var known: [(place: Place, row: [UInt8])] = []
    rows.withLock { rows in
      for place in terms.keys {
        if let row = rows[place] { known.append((place, row)) } else { unknown.append(place) }
      }
    }
    let read = try read(unknown, reader)
    rows.withLock { rows in
      for (place, row) in read { rows[place] = row }
    }
    for (place, row) in known + read {
      for term in terms[place] ?? [] {
        if let entry = SearchTerms.entry(of: term, in: row) { found(place.segment, entry) }
      }
    }
  }

  private func read(_ places: [Place], _ reader: any Reader) throws -> [(place: Place, row: [UInt8])] {
    var rows: [(place: Place, row: [UInt8])] = []
    try Self.rows.forEach(places.map { ($0.segment, $0.term) }, reader) { row in
      if let bytes = row[2] as [UInt8]? { rows.append((Place(segment: row[0], term: row[1]), bytes)) }
    }
    return rows
  }

  private static let rows = SearchPairs { values in
    """
    SELECT s.column1, s.column2, (SELECT bytes FROM octet_search_terms WHERE segment = s.column1 AND term = s.column2)
    FROM \(values) s
    """
  }

  /// The beginning of the row that would have a term.
  private static func start(of term: Int64, in starts: [Int64]) -> Int64? {
    var (low, high) = (0, starts.count)
    while low < high {
      let middle = (low + high) / 2
      if starts[middle] <= term { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? starts[low - 1] : nil
  }

  /// Segments whose beginnings are read by one statement.
  private static let atOnce = 16

  private func starts(of segments: Set<Int64>, _ reader: any Reader) throws -> [Int64: [Int64]] {
    var known: [Int64: [Int64]] = [:]
    starts.withLock { starts in
      for segment in segments { known[segment] = starts[segment] }
    }
    let unknown = segments.filter { known[$0] == nil }.sorted()
    if unknown.isEmpty { return known }
    var read = Dictionary(uniqueKeysWithValues: unknown.map { ($0, [Int64]()) })
    for some in unknown.map(SQLValue.integer).filledPieces(of: Self.atOnce) {
      try reader.query(Self.startsSQL, some) { read[$0[0], default: []].append($0[1]) }
    }
    starts.withLock { [read] starts in
      for (segment, terms) in read { starts[segment] = terms }
    }
    return known.merging(read) { $1 }
  }

  private static let startsSQL = """
    SELECT segment, term FROM octet_search_terms WHERE segment IN \(placeholders(from: 1, count: atOnce))
    ORDER BY segment, term
    """
}
