internal import Base
internal import Foundation

extension SearchIndex {
  /// Documents that have all words and tags of a query, best first.
  /// - Parameters:
  ///   - pageSize: from 1 to `SearchLimits.pageSize`.
  ///   - cursor: `next` of the page before, of an equal query.
  /// - Throws: `SearchError`, `StorageError`.
  public func search(
    _ query: SearchQuery, pageSize: Int, after cursor: SearchCursor? = nil, in reader: any Reader
  ) throws -> SearchPage {
    let words = try checked(query, pageSize)
    if let cursor { return try goOn(after: cursor, query, pageSize, reader) }
    // What commits while the index is looked at came later.
    let now = clock.now()
    let source = try SearchSource(self, reader)
    let found = try search(words, query, pageSize, source, near: nil, at: now, reader)
    guard found.hits.isEmpty, found.isComplete, query.correctsWords, words.count <= SearchLimits.correctedWords
    else { return found }
    let others = try nearKeys(words, reader)
    guard others.contains(where: { !$0.isEmpty }) else { return found }
    let meant = try search(words, query, pageSize, source, near: others, at: now, reader)
    return meant.hits.isEmpty ? found : meant
  }

  /// Of each word the keys of those that it was probably meant to be, if it is misspelt.
  private func nearKeys(_ words: [SearchText.Word], _ reader: any Reader) throws -> [[Int64]] {
    try words.map { word in word.isFragment ? [] : try nearest(word.text, reader).map(wordKey) }
  }

  /// The first page of what has the words.
  /// - Parameter near: of each word the keys of others that are taken for it; nil where words are not corrected.
  private func search(
    _ words: [SearchText.Word], _ query: SearchQuery, _ pageSize: Int, _ source: SearchSource, near: [[Int64]]?,
    at now: Instant, _ reader: any Reader
  ) throws -> SearchPage {
    let tags = query.tags.map(tagKey)
    let facets = query.facets.map { ($0, tagKey($0)) }
    var (keys, hasAllWords) = try keys(words, query, reader)
    for (index, near) in (near ?? []).enumerated() { keys[index] += near.filter { !keys[index].contains($0) } }
    try source.open(keys.flatMap { $0 } + tags + facets.map(\.1), reader)
    let groups = keys.map { keys in
      SearchScan.Group(keys: keys, weight: Self.weight(frequencies: keys.map(source.frequency), of: source.documents))
    }
    var scan = SearchScan(
      source: source, groups: groups, tags: tags, ranges: query.ranges, facets: facets, order: query.order,
      after: nil, limit: shape.hits)
    try scan.run(budget: shape.postings, reader)
    let hits = scan.best.sorted
    let shown = Array(hits.prefix(pageSize))
    let isComplete = scan.isComplete && hasAllWords
    var next: SearchCursor?
    if hits.count > pageSize, let last = shown.last {
      let hash = hash(of: query, isCorrected: near != nil)
      let cursor = SearchCursor(
        list: Int64(bitPattern: random.next()), offset: Int64(shown.count), last: last, query: hash, madeAt: now,
        groups: groups, hasAllWords: hasAllWords)
      results.keep(SearchResultList(query: hash, hits: hits, isComplete: isComplete, after: nil), as: cursor.list)
      next = cursor
    }
    return SearchPage(
      hits: shown, next: next, isComplete: isComplete, facets: scan.counts, isCorrected: near != nil)
  }

  /// How many documents there are, those included that were removed since their segment was made.
  public func count(in reader: any Reader) throws -> Int64 {
    let sealed: Int64? = try reader.first(
      "SELECT CAST(COALESCE(sum(documents), 0) AS BIGINT) FROM octet_search_segments WHERE collection = $1 AND state = 1",
      collection
    ) { $0[0] }
    let fresh: Int64? = try reader.first(
      "SELECT count(*) FROM octet_search_fresh WHERE collection = $1", collection
    ) { $0[0] }
    return (sealed ?? 0) + (fresh ?? 0)
  }

  /// The words of a query within its limits.
  private func checked(_ query: SearchQuery, _ pageSize: Int) throws(SearchError) -> [SearchText.Word] {
    guard query.text.utf8.count <= SearchLimits.queryBytes else { throw .queryTooLong }
    guard query.tags.count + query.ranges.count <= SearchLimits.filters,
      (query.ranges.keys + [query.order.position ?? 0]).allSatisfy({ (0..<SearchLimits.documentNumbers).contains($0) })
    else { throw .tooManyFilters }
    guard query.facets.count <= SearchLimits.facets else { throw .tooManyFacets }
    guard pageSize > 0, pageSize <= SearchLimits.pageSize else { throw .badPageSize }
    let words = SearchText.words(query.text, for: .query, limit: SearchLimits.queryWords + 1)
    guard words.count <= SearchLimits.queryWords else { throw .tooManyWords }
    guard !words.isEmpty || (!query.tags.isEmpty && query.text.isEmpty) else { throw .nothingToSearch }
    return words
  }

  /// Of each word the keys of which a document must have one, and whether these are all that there may be.
  private func keys(
    _ words: [SearchText.Word], _ query: SearchQuery, _ reader: any Reader
  ) throws -> (keys: [[Int64]], areAll: Bool) {
    let keys = words.map { [wordKey($0.text)] }
    guard query.completesLastWord, let word = words.last, !word.isFragment else { return (keys, true) }
    let completions = try completions(word.text, reader)
    var last = [wordKey(word.text)]
    for key in completions.words.map({ wordKey($0.word) }) where !last.contains(key) { last.append(key) }
    return (keys.dropLast() + [last + [startKey(word.text)]], completions.areAll)
  }

  /// BM25's inverse document frequency, and at least 1: how often a word is in each still ranks documents that all have
  /// it.
  /// - Parameter frequencies: how many documents have each of the terms of which one is asked for. They are taken for
  ///   independent, since their sum is soon more than there are.
  static func weight(frequencies: [Int64], of all: Int64) -> Int64 {
    let all = Double(max(all, frequencies.max() ?? 0, 1))
    let n = all * (1 - frequencies.reduce(1) { $0 * (1 - Double($1) / all) })
    return max(1, Int64((log(1 + (all - n + 0.5) / (n + 0.5)) * impactScale).rounded()))
  }

  /// What a cursor is bound to.
  func hash(of query: SearchQuery, isCorrected: Bool) -> Int64 {
    var hash = StableHash()
    func combine(_ text: String) {
      hash.combine(text.utf8)
      hash.combine([0xff])
    }
    combine(name)
    combine(query.text)
    combine((query.completesLastWord ? "completing" : "") + (isCorrected ? "corrected" : ""))
    for tag in query.tags { combine(tag) }
    combine("")
    for (position, range) in query.ranges.sorted(by: { $0.key < $1.key }) {
      combine("\(position) \(range.lowerBound) \(range.upperBound)")
    }
    switch query.order {
    case .relevance: break
    case .rising(let position): combine("rising \(position)")
    case .falling(let position): combine("falling \(position)")
    }
    return hash.value
  }
}
