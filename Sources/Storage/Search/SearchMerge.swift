/// What is known of a merge under way, on the node that does it.
///
/// Its segment is filled in small transactions, unseen, and takes the place of the others in the last one. Whoever stops
/// in between leaves a segment in the making, which others give up after a while.
struct SearchMerge: Sendable {
  let target: Int64
  let inputs: [Input]
  let ids: [Int64]
  /// Rows that are made and not yet written.
  var rows: [[SQLValue]]

  /// One of the segments that are merged.
  struct Input: Sendable {
    /// As it was when the merge began.
    let segment: SearchSegment
    /// The new place of each document; -1 for those that were dead.
    let places: [Int32]
    /// Where to read on.
    var term = Int64.min
    var part: Int64 = -1
    var isAtEnd = false
    /// Lists that were read, the last of which may not be whole unless the segment is at its end.
    var lists: [(term: Int64, parts: [[UInt8]])] = []

    init(segment: SearchSegment, places: [Int32]) {
      self.segment = segment
      self.places = places
    }

    var hasWholeList: Bool { lists.count > 1 || (isAtEnd && !lists.isEmpty) }

    /// Reads until there is a whole list.
    mutating func fill(_ reader: any Reader, rows: Int64) throws {
      while !hasWholeList, !isAtEnd {
        var count: Int64 = 0
        try reader.query(
          """
          SELECT term, part, bytes FROM octet_search_blocks WHERE segment = $1 AND (term, part) > ($2, $3)
          ORDER BY term, part LIMIT $4
          """, [.integer(segment.id), .integer(term), .integer(part), .integer(rows)]
        ) { row in
          (term, part) = (row[0], row[1])
          if lists.last?.term == term {
            lists[lists.count - 1].parts.append(row[2])
          } else {
            lists.append((term, [row[2]]))
          }
          count += 1
        }
        if count < rows { isAtEnd = true }
      }
    }
  }

  private var positions: [Input]

  /// - Parameters:
  ///   - segments: with the ids of their documents and their columns of numbers.
  ///   - column: the key of a position's numbers.
  init(
    target: Int64, _ segments: [(segment: SearchSegment, ids: [Int64], numbers: [[Int64?]])], idsKey: Int64,
    column: (Int) -> Int64
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
    positions = inputs
    ids = living.map(\.id)
    rows = SearchIndex.rows(target, idsKey, ids.count, SearchPostings.parts(ids: ids))
    for position in 0..<(segments.map(\.numbers.count).max() ?? 0) {
      let numbers = living.map { document -> Int64? in
        let columns = segments[document.segment].numbers
        return position < columns.count ? columns[position][document.ordinal] : nil
      }
      rows += SearchIndex.rows(target, column(position), ids.count, SearchPostings.parts(numbers: numbers))
    }
    if ids.isEmpty { rows = [] }
  }

  /// Makes more rows, unless there are `limit` already.
  /// - Parameter isList: whether a term is that of postings.
  mutating func makeRows(upTo limit: Int, _ reader: any Reader, isList: (Int64) -> Bool) throws {
    while rows.count < limit {
      for index in positions.indices { try positions[index].fill(reader, rows: Int64(limit)) }
      guard let term = positions.compactMap({ $0.lists.first?.term }).min() else { return }
      var postings: [(place: Int32, impact: UInt16)] = []
      var isSorted = true
      for index in positions.indices where positions[index].lists.first?.term == term {
        let input = positions[index]
        positions[index].lists.removeFirst()
        guard isList(term), let list = input.lists.first else { continue }
        SearchPostings.forEach(list.parts, documents: input.places.count) { ordinal, impact in
          let place = input.places[ordinal]
          if place < 0 { return }
          if let last = postings.last, last.place > place { isSorted = false }
          postings.append((place, impact))
        }
      }
      if postings.isEmpty { continue }
      if !isSorted { postings.sort { $0.place < $1.place } }
      var list = SearchPostings.Builder()
      for (place, impact) in postings { list.append(Int(place), impact) }
      rows += SearchIndex.rows(target, term, list.count, list.finished(documents: ids.count))
    }
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
