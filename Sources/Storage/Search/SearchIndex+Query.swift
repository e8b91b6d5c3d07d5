internal import Base
internal import Foundation

extension SearchIndex {
  /// A block of a posting list behind a rank and a document, with the documents' entries. CROSS JOIN, so that SQLite
  /// begins with the postings.
  static let blockSQL = """
    SELECT p.rank, p.document, d.entry
    FROM (SELECT rank, document FROM octet_search_postings WHERE term = $1 AND (rank, document) > ($2, $3)
      ORDER BY rank, document LIMIT $4) p CROSS JOIN octet_search_documents d
    WHERE d.collection = $5 AND d.document = p.document
    """

  /// Documents that have all words and tags of a query, best first.
  /// - Parameters:
  ///   - pageSize: from 1 to `SearchLimits.pageSize`.
  ///   - cursor: `next` of the page before, of an equal query.
  /// - Throws: `SearchError`, `StorageError`.
  public func search(
    _ query: SearchQuery, pageSize: Int, after cursor: SearchCursor? = nil, in reader: any Reader
  ) throws -> SearchPage {
    let words = try checked(query, pageSize)
    let hash = hash(of: query)
    if let cursor, cursor.query != hash { throw SearchError.foreignCursor }
    if let cursor, let known = results.list(cursor.list, query: hash) {
      return try page(of: known.hits, cursor, query, pageSize, isComplete: known.isComplete, reader)
    }
    let (groups, areAll) = try groups(words, query, frozen: cursor?.weights, reader)
    let tags = try query.tags.map { (key: tagKey($0), frequency: try estimate(tagKey($0), reader)) }
    var walk = SearchWalk(
      groups: groups, tags: tags, ranges: query.ranges,
      facets: cursor == nil ? query.facets.map { ($0, tagKey($0)) } : [], collection: collection, after: cursor?.last)
    let limit = max(0, SearchLimits.hits - Int(cursor?.offset ?? 0))
    if limit > 0 { try walk.run(limit: limit, reader) }
    let isComplete = walk.isComplete && areAll
    let shown = Array(walk.hits.prefix(pageSize))
    var next: SearchCursor?
    if walk.hits.count > pageSize, let last = shown.last {
      // In a list that is made anew, offsets go on from what was shown before.
      let before = Array(repeating: SearchHit(id: 0, score: 0), count: Int(cursor?.offset ?? 0))
      next = SearchCursor(
        list: results.keep(before + walk.hits, isComplete: isComplete, query: hash),
        offset: Int64(before.count + shown.count), last: last, query: hash, weights: groups.map(\.weight))
    }
    return SearchPage(hits: shown, next: next, isComplete: isComplete, facets: walk.counts)
  }

  /// The words of a query within its limits.
  private func checked(_ query: SearchQuery, _ pageSize: Int) throws(SearchError) -> [SearchText.Word] {
    guard query.text.utf8.count <= SearchLimits.queryBytes else { throw .queryTooLong }
    guard query.tags.count + query.ranges.count <= SearchLimits.filters,
      query.ranges.keys.allSatisfy({ (0..<SearchLimits.documentNumbers).contains($0) })
    else { throw .tooManyFilters }
    guard query.facets.count <= SearchLimits.facets else { throw .tooManyFacets }
    guard pageSize > 0, pageSize <= SearchLimits.pageSize else { throw .badPageSize }
    let words = SearchText.words(query.text, for: .query, limit: SearchLimits.queryWords + 1)
    guard words.count <= SearchLimits.queryWords else { throw .tooManyWords }
    guard !words.isEmpty || (!query.tags.isEmpty && query.text.isEmpty) else { throw .nothingToSearch }
    return words
  }

  /// What a document must have, with weights: those of the first page if there was one.
  private func groups(
    _ words: [SearchText.Word], _ query: SearchQuery, frozen: [Int64]?, _ reader: any Reader
  ) throws -> (groups: [SearchWalk.Group], areAll: Bool) {
    if words.isEmpty { return ([], true) }
    let all = try estimate(allKey, reader)
    var areAll = true
    var groups: [SearchWalk.Group] = []
    for (index, word) in words.enumerated() {
      var keys = [wordKey(word.text)]
      if query.completesLastWord, index == words.count - 1, !word.isFragment {
        let completions = try completions(word.text, reader)
        areAll = completions.areAll
        for key in completions.words.map({ wordKey($0.word) }) where !keys.contains(key) { keys.append(key) }
      }
      let frequency = try keys.reduce(0) { $0 + (try estimate($1, reader)) }
      let weight = frozen.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      groups.append(
        SearchWalk.Group(
          keys: keys, frequency: frequency, weight: weight ?? Self.weight(frequency: frequency, of: all)))
    }
    return (groups, areAll)
  }

  /// BM25's inverse document frequency, never negative.
  static func weight(frequency: Int64, of all: Int64) -> Int64 {
    let (n, all) = (Double(frequency), Double(max(all, frequency)))
    return Int64((log(1 + (all - n + 0.5) / (n + 0.5)) * impactScale).rounded())
  }

  /// A further page of a list that is known, without what has gone or no longer matches.
  private func page(
    of hits: [SearchHit], _ cursor: SearchCursor, _ query: SearchQuery, _ pageSize: Int, isComplete: Bool,
    _ reader: any Reader
  ) throws -> SearchPage {
    let walk = SearchWalk(
      groups: [], tags: query.tags.map { (tagKey($0), 0) }, ranges: query.ranges, facets: [], collection: collection,
      after: nil)
    var position = min(Int(cursor.offset), hits.count)
    var shown: [SearchHit] = []
    while position < hits.count, shown.count < pageSize {
      let hit = hits[position]
      position += 1
      let entry = try reader.first(
        "SELECT entry FROM octet_search_documents WHERE collection = $1 AND document = $2", collection, hit.id
      ) { SearchEntry($0[0]) }
      if let entry, walk.matches(entry) { shown.append(hit) }
    }
    var next: SearchCursor?
    if position < hits.count {
      next = SearchCursor(
        list: cursor.list, offset: Int64(position), last: hits[position - 1], query: cursor.query,
        weights: cursor.weights)
    }
    return SearchPage(hits: shown, next: next, isComplete: isComplete, facets: [:])
  }

  /// What a cursor is bound to.
  private func hash(of query: SearchQuery) -> Int64 {
    var hash = StableHash()
    func combine(_ text: String) {
      hash.combine(text.utf8)
      hash.combine([0xff])
    }
    combine(name)
    combine(query.text)
    combine(query.completesLastWord ? "completing" : "")
    for tag in query.tags { combine(tag) }
    combine("")
    for (position, range) in query.ranges.sorted(by: { $0.key < $1.key }) {
      combine("\(position) \(range.lowerBound) \(range.upperBound)")
    }
    return hash.value
  }
}
