internal import Base

/// Further pages. A node that has made a list, or the rest of it, shows it page by page. Any other one makes it again: it
/// searches the index as it was for the first page, behind the last hit that was shown.
extension SearchIndex {
  func goOn(
    after cursor: SearchCursor, _ query: SearchQuery, _ pageSize: Int, _ reader: any Reader
  ) throws -> SearchPage {
    let isCorrected = query.correctsWords && cursor.query == hash(of: query, isCorrected: true)
    guard isCorrected || cursor.query == hash(of: query, isCorrected: false) else { throw SearchError.foreignCursor }
    guard clock.now() < cursor.madeAt + SearchLimits.cursorLifetime else { throw SearchError.cursorExpired }
    let list = try results.list(for: cursor) ?? makeAgain(cursor, query, reader)
    let (hits, next) = try page(of: list, cursor, query, pageSize, reader)
    return SearchPage(hits: hits, next: next, isComplete: list.isComplete, facets: [:], isCorrected: isCorrected)
  }

  /// The part of a first page's list that follows a cursor.
  private func makeAgain(
    _ cursor: SearchCursor, _ query: SearchQuery, _ reader: any Reader
  ) throws -> SearchResultList {
    let source = try SearchSource(self, reader, asOf: cursor.madeAt)
    let tags = query.tags.map(tagKey)
    try source.open(cursor.groups.flatMap(\.keys) + tags, reader)
    let wanted = max(0, shape.hits - Int(cursor.offset))
    var (hits, last, isComplete): ([SearchHit], SearchHit, Bool) = ([], cursor.last, cursor.hasAllWords)
    for _ in 0..<SearchLimits.listSearches {
      var scan = SearchScan(
        source: source, groups: cursor.groups, tags: tags, ranges: query.ranges, facets: [], order: query.order,
        after: last, limit: shape.hits)
      try scan.run(budget: shape.postings, reader)
      let found = scan.best.sorted
      hits += try there(found, at: cursor.madeAt, source, reader)
      isComplete = isComplete && scan.isComplete
      if hits.count < wanted, found.count == shape.hits, let end = found.last {
        last = end
        continue
      }
      let list = SearchResultList(
        query: cursor.query, hits: Array(hits.prefix(wanted)), isComplete: isComplete, after: cursor.last)
      results.keep(list, as: cursor.list)
      return list
    }
    // So much has come since that it hides what was there.
    throw SearchError.cursorExpired
  }

  /// Those hits that were there when the first page was made.
  private func there(
    _ hits: [SearchHit], at madeAt: Instant, _ source: SearchSource, _ reader: any Reader
  ) throws -> [SearchHit] {
    var known = Set<Int64>()
    for (ids, list) in Self.lists(hits.map(\.id).filter { !source.isPast($0) }) {
      try reader.query(
        "SELECT document, changed_at FROM octet_search_documents WHERE collection = $1 AND document IN \(list)",
        [.integer(collection)] + ids
      ) { row in
        if (row[1] as Instant) <= madeAt + SearchLimits.clockDifference { known.insert(row[0]) }
      }
    }
    return hits.filter { source.isPast($0.id) || known.contains($0.id) }
  }

  /// A page of a list, without what has gone or no longer has the tags and numbers.
  private func page(
    of list: SearchResultList, _ cursor: SearchCursor, _ query: SearchQuery, _ pageSize: Int, _ reader: any Reader
  ) throws -> (hits: [SearchHit], next: SearchCursor?) {
    let tags = query.tags.map(tagKey)
    let hits = list.hits
    let start = list.place(after: cursor.last) ?? hits.count
    var position = start
    var shown: [SearchHit] = []
    while position < hits.count, shown.count < pageSize {
      // As many as the whole page has, also for the rest of one: where much has gone, much is looked through.
      let some = hits[position...].prefix(min(pageSize, Self.idsAtOnce))
      let stored = try stored(some, reader)
      for hit in some where shown.count < pageSize {
        position += 1
        guard let entry = stored[hit.id] else { continue }
        if SearchScan.matches(entry, tags: tags, ranges: query.ranges) { shown.append(hit) }
      }
    }
    if position == hits.count { return (shown, nil) }
    return (shown, cursor.moved(by: position - start, to: hits[position - 1]))
  }

  /// What is there now of hits, by their ids.
  private func stored(_ hits: ArraySlice<SearchHit>, _ reader: any Reader) throws -> [Int64: SearchEntry] {
    var stored: [Int64: SearchEntry] = [:]
    for (ids, list) in Self.lists(hits.map(\.id)) {
      try reader.query(
        "SELECT document, entry FROM octet_search_documents WHERE collection = $1 AND document IN \(list)",
        [.integer(collection)] + ids
      ) { stored[$0[0]] = SearchEntry($0[1]) }
    }
    return stored
  }
}
