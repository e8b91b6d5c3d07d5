internal import Base

/// A merge under way: it reads the lists of some segments in the order of their terms and makes rows of the segment
/// that replaces them.
///
/// A value: each step of the work goes on where the one before stopped. When all rows are made and written, the new
/// segment becomes live and the others are retired in one transaction. Whoever stops before leaves a segment in the
/// making, which others give up after a while.
struct SearchMerge: Sendable {
  let target: Int64
  let inputs: [Input]
  let ids: [Int64]
  /// That are made and not yet written.
  var rows: SearchRows
  private var positions: [Position]
  private var isAtEnd = false

  /// One of the segments that are merged.
  struct Input: Sendable {
    /// As it was when the merge began.
    let segment: SearchSegment
    /// The new place of each document; -1 for those that were dead.
    let places: [Int32]
  }

  /// Where an input's dictionary is read on.
  private struct Position: Sendable {
    let segment: Int64
    /// The next row begins with it or a greater term.
    var term = Int64.min
    var isAtEnd = false
    /// What was read, the next one last.
    var entries: [SearchTerms.Entry] = []

    /// Reads until there is an entry.
    mutating func fill(_ reader: any Reader) throws {
      if isAtEnd || !entries.isEmpty { return }
      isAtEnd = true
      try reader.query(
        "SELECT term, bytes FROM octet_search_terms WHERE segment = $1 AND term >= $2 ORDER BY term LIMIT $3",
        [.integer(segment), .integer(term), .integer(Self.rowsAtOnce)]
      ) { row in
        isAtEnd = false
        term = row[0] + 1
        entries += SearchTerms.entries(in: row[1])
      }
      entries.reverse()
    }

    /// Sixteen inputs have half a megabyte of entries then.
    private static let rowsAtOnce: Int64 = 16
  }

  /// - Parameters:
  ///   - segments: with the ids of their documents and their columns of numbers.
  ///   - index: to which they belong.
  init(
    target: Int64, _ segments: [(segment: SearchSegment, ids: [Int64], numbers: [[Int64?]])], _ index: SearchIndex
  ) {
    self.target = target
    var living: [(id: Int64, segment: Int, ordinal: Int)] = []
    for (index, input) in segments.enumerated() {
      for (ordinal, id) in input.ids.enumerated() where !input.segment.isDead(ordinal) {
        living.append((id, index, ordinal))
      }
    }
    // Mostly in order already: newer documents have greater ids.
    living.sort { $0.id < $1.id }
    var places = segments.map { [Int32](repeating: -1, count: $0.ids.count) }
    for (place, document) in living.enumerated() { places[document.segment][document.ordinal] = Int32(place) }
    inputs = zip(segments, places).map { Input(segment: $0.segment, places: $1) }
    positions = segments.map { Position(segment: $0.segment.id) }
    ids = living.map(\.id)
    rows = SearchRows(target, documents: ids.count, index.shape)
    isAtEnd = ids.isEmpty
    if ids.isEmpty { return }
    rows.append(index.idsKey, SearchPostings.parts(ids: ids))
    for position in 0..<(segments.map(\.numbers.count).max() ?? 0) {
      let numbers = living.map { document -> Int64? in
        let columns = segments[document.segment].numbers
        return position < columns.count ? columns[position][document.ordinal] : nil
      }
      rows.append(index.numberKey(position), SearchColumn.parts(numbers))
    }
  }

  /// Makes more rows, unless there are `limit` already.
  mutating func makeRows(upTo limit: Int, _ reader: any Reader) throws {
    while !isAtEnd, rows.count < limit {
      var next: Int64?
      for place in positions.indices {
        try positions[place].fill(reader)
        if let term = positions[place].entries.last?.term { next = min(next ?? term, term) }
      }
      guard let term = next else {
        rows.finish()
        isAtEnd = true
        return
      }
      var postings: [(ordinal: Int32, impact: UInt16)] = []
      var isSorted = true
      for (place, input) in zip(positions.indices, inputs) {
        guard let entry = positions[place].entries.last, entry.term == term else { continue }
        positions[place].entries.removeLast()
        SearchPostings.forEach(try Self.parts(of: entry, input, reader), documents: input.places.count) {
          let ordinal = input.places[$0]
          if ordinal < 0 { return }
          if let last = postings.last, last.ordinal > ordinal { isSorted = false }
          postings.append((ordinal, $1))
        }
      }
      if postings.isEmpty { continue }
      if !isSorted { postings.sort { $0.ordinal < $1.ordinal } }
      rows.append(term, postings)
    }
  }

  private static func parts(
    of entry: SearchTerms.Entry, _ input: Input, _ reader: any Reader
  ) throws -> [[UInt8]] {
    if !entry.list.isEmpty { return [entry.list] }
    // The best postings are found anew.
    return try reader.rows(
      "SELECT bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 AND part >= 0 ORDER BY part",
      input.segment.id, entry.term
    ) { $0[0] }
  }

  /// The bits of the documents that have died since the merge began.
  /// - Parameter dead: by segment, as it is now.
  func died(_ dead: [Int64: [Int: [UInt8]]]) -> [Int: [UInt8]] {
    var bits: [Int: [UInt8]] = [:]
    for input in inputs {
      var now = input.segment
      now.dead = dead[now.id] ?? [:]
      for (chunk, _) in now.dead {
        let start = chunk * SearchSegment.chunk
        for ordinal in start..<min(start + SearchSegment.chunk, input.places.count) where now.isDead(ordinal) {
          let place = Int(input.places[ordinal])
          if place < 0 { continue }
          let target = place / SearchSegment.chunk
          bits[target] = SearchSegment.marking(place, in: bits[target]) ?? bits[target]
        }
      }
    }
    return bits
  }
}
