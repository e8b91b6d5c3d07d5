internal import Base

extension SearchIndex {
  /// Makes a segment of the documents that are in none, if there are enough by now. Asked for once in so many terms.
  func sealIfDue(adding terms: Int, _ writer: any Writer) throws {
    guard random.next() % UInt64(shape.termsBetweenChecks) < UInt64(terms) else { return }
    let waiting = try writer.first(
      "SELECT count(*), COALESCE(sum(terms), 0) FROM octet_search_fresh WHERE collection = $1", collection
    ) { row -> (documents: Int, terms: Int) in (row[0], row[1]) }
    guard let waiting, waiting.documents >= shape.sealedDocuments || waiting.terms >= shape.sealedTerms else { return }
    try seal(writer)
  }

  /// Moves documents from the fresh ones into a segment. Those that others are just changing are left.
  private func seal(_ writer: any Writer) throws {
    var (ids, entries): ([Int64], [SearchEntry]) = ([], [])
    var terms = 0
    var more = true
    while more, terms < 2 * shape.sealedTerms, ids.count < 2 * shape.sealedDocuments {
      more = false
      let locking = writer.dialect.forUpdateSkippingLocked
      try writer.query(
        """
        SELECT document, terms, entry FROM octet_search_fresh WHERE collection = $1 AND document > $2
        ORDER BY document LIMIT $3\(locking)
        """, [.integer(collection), .integer(ids.last ?? .min), .integer(Self.sealedAtOnce)]
      ) { row in
        ids.append(row[0])
        terms += row[1]
        entries.append(SearchEntry(row[2]))
        more = true
      }
    }
    // Somebody else is sealing.
    guard let lowest = ids.first, let highest = ids.last,
      ids.count >= shape.sealedDocuments / 2 || terms >= shape.sealedTerms / 2
    else { return }
    let segment = makeSegmentID()
    let added = try writer.execute(
      """
      INSERT INTO octet_search_segments (segment, collection, state, documents, lowest, highest, target, changed_at)
      VALUES ($1, $2, 1, $3, $4, $5, 0, $6) ON CONFLICT DO NOTHING
      """, segment, collection, ids.count, lowest, highest, clock.now())
    if added == 0 { throw RetryTransaction() }
    try writer.insert(Self.blockColumns, rows(of: segment, ids, entries))
    // The keys are those that were read; what was left between them stays.
    var rest = ids[...]
    while !rest.isEmpty {
      let some = rest.prefix(Self.removedAtOnce)
      rest = rest.dropFirst(some.count)
      // The last one again where there are fewer: one text for all.
      let padded = Array(some) + Array(repeating: some[some.endIndex - 1], count: Self.removedAtOnce - some.count)
      try writer.execute(Self.removeFreshSQL, [.integer(collection)] + padded.map { .integer($0) })
    }
  }

  static let blockColumns = "octet_search_blocks (segment, term, part, total, bytes)"
  private static let sealedAtOnce: Int64 = 256
  private static let removedAtOnce = 32
  private static let removeFreshSQL = """
    DELETE FROM octet_search_fresh WHERE collection = $1
    AND document IN (\((2..<(2 + removedAtOnce)).map { "$\($0)" }.joined(separator: ", ")))
    """

  /// Rising with time, so that the rows of segments are appended.
  func makeSegmentID() -> Int64 {
    (clock.now().nanoseconds >> 20) << 22 | Int64(random.next() & 0x3f_ffff)
  }

  private func rows(of segment: Int64, _ ids: [Int64], _ entries: [SearchEntry]) -> [[SQLValue]] {
    var postings: [(term: Int64, ordinal: Int32, impact: UInt16)] = []
    for (ordinal, entry) in entries.enumerated() {
      entry.forEachTerm { postings.append(($0, Int32(ordinal), $1)) }
    }
    postings.sort { ($0.term, $0.ordinal) < ($1.term, $1.ordinal) }
    var rows: [[SQLValue]] = []
    var start = 0
    while start < postings.count {
      let term = postings[start].term
      var list = SearchPostings.Builder()
      while start < postings.count, postings[start].term == term {
        list.append(Int(postings[start].ordinal), postings[start].impact)
        start += 1
      }
      rows += Self.rows(segment, term, list.count, list.finished(documents: ids.count))
    }
    rows += Self.rows(segment, idsKey, ids.count, SearchPostings.parts(ids: ids))
    for position in 0..<SearchLimits.documentNumbers {
      let numbers = entries.map { $0.number(position) }
      if numbers.allSatisfy({ $0 == nil }) { break }
      rows += Self.rows(segment, numberKey(position), ids.count, SearchPostings.parts(numbers: numbers))
    }
    return rows
  }

  static func rows(_ segment: Int64, _ term: Int64, _ total: Int, _ parts: [[UInt8]]) -> [[SQLValue]] {
    parts.enumerated().map { part, bytes in
      [.integer(segment), .integer(term), .integer(Int64(part)), .integer(Int64(total)), .blob(bytes)]
    }
  }
}
