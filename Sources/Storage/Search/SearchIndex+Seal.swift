internal import Base

extension SearchIndex {
  /// Whether so many documents, or documents with so many terms, become a segment.
  func isDue(documents: Int, terms: Int) -> Bool {
    documents >= shape.sealedDocuments || terms >= shape.sealedTerms
  }

  /// Makes a segment of the documents that are in none, if there are enough by now. Asked for once in so many terms.
  func sealIfDue(adding terms: Int, _ writer: any Writer) throws {
    guard random.next() % UInt64(shape.termsBetweenChecks) < UInt64(terms) else { return }
    let waiting = try writer.first(
      "SELECT count(*), COALESCE(sum(terms), 0) FROM octet_search_fresh WHERE collection = $1", collection
    ) { row -> (documents: Int, terms: Int) in (row[0], row[1]) }
    guard let waiting, isDue(documents: waiting.documents, terms: waiting.terms) else { return }
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
    if !isDue(documents: 2 * ids.count, terms: 2 * terms) { return }
    try makeSegment(ids, entries, writer)
    // The keys are those that were read; what was left between them stays.
    try removeFresh(ids, writer)
  }

  private static let sealedAtOnce: Int64 = 256

  /// - Parameter ids: rising, one for each entry.
  func makeSegment(_ ids: [Int64], _ entries: [SearchEntry], _ writer: any Writer) throws {
    guard let lowest = ids.first, let highest = ids.last else { return }
    let segment = makeSegmentID()
    let added = try writer.execute(
      """
      INSERT INTO octet_search_segments (segment, collection, state, documents, lowest, highest, target, changed_at)
      VALUES ($1, $2, 1, $3, $4, $5, 0, $6) ON CONFLICT DO NOTHING
      """, segment, collection, ids.count, lowest, highest, clock.now())
    if added == 0 { throw RetryTransaction() }
    var rows = SearchRows(segment, documents: ids.count, shape)
    rows.append(idsKey, SearchPostings.parts(ids: ids))
    for position in 0..<SearchLimits.documentNumbers {
      let numbers = entries.map { $0.number(position) }
      if numbers.allSatisfy({ $0 == nil }) { break }
      rows.append(numberKey(position), SearchColumn.parts(numbers))
    }
    var postings: [(term: Int64, ordinal: Int32, impact: UInt16)] = []
    postings.reserveCapacity(entries.reduce(0) { $0 + $1.count })
    for (ordinal, entry) in entries.enumerated() {
      entry.forEachTerm { postings.append(($0, Int32(ordinal), $1)) }
    }
    postings.sort { ($0.term, $0.ordinal) < ($1.term, $1.ordinal) }
    var list: [(ordinal: Int32, impact: UInt16)] = []
    for (index, posting) in postings.enumerated() {
      list.append((posting.ordinal, posting.impact))
      if index + 1 == postings.count || postings[index + 1].term != posting.term {
        rows.append(posting.term, list)
        list.removeAll(keepingCapacity: true)
      }
    }
    rows.finish()
    try rows.write(writer)
  }

  /// Rising with time, so that the rows of segments are appended.
  func makeSegmentID() -> Int64 {
    (clock.now().nanoseconds >> 20) << 22 | Int64(random.next() & 0x3f_ffff)
  }
}
