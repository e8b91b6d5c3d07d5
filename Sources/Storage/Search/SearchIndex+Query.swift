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
    let corrected = query.correctsWords ? hash(of: query, isCorrected: true) : nil
    let isCorrected = cursor != nil && cursor?.query == corrected
    guard cursor == nil || isCorrected || cursor?.query == hash(of: query, isCorrected: false) else {
      throw SearchError.foreignCursor
    }
    if let cursor, let known = results.list(cursor.list, query: cursor.query) {
      return try page(
        of: known.hits, cursor, query, pageSize, latest: known.latest, isComplete: known.isComplete,
        isCorrected: isCorrected, reader)
    }
    let source = try SearchSource(self, reader)
    let near = isCorrected ? try nearKeys(words, reader) : nil
    let found = try search(words, query, pageSize, after: cursor, source, near: near, reader)
    // What a page further on has none of, the first one had.
    guard found.hits.isEmpty, found.isComplete, cursor == nil, corrected != nil,
      words.count <= SearchLimits.correctedWords
    else { return found }
    let others = try nearKeys(words, reader)
    guard others.contains(where: { !$0.isEmpty }) else { return found }
    let meant = try search(words, query, pageSize, after: nil, source, near: others, reader)
    return meant.hits.isEmpty ? found : meant
  }

  /// Of each word the keys of those that it was probably meant to be, if it is misspelt.
  private func nearKeys(_ words: [SearchText.Word], _ reader: any Reader) throws -> [[Int64]] {
    try words.map { word in word.isFragment ? [] : try nearest(word.text, reader).map(wordKey) }
  }

  /// Searches for what has the words.
  /// - Parameter near: of each word the keys of others that are taken for it; nil where words are not corrected.
  private func search(
    _ words: [SearchText.Word], _ query: SearchQuery, _ pageSize: Int, after cursor: SearchCursor?,
    _ source: SearchSource, near: [[Int64]]?, _ reader: any Reader
  ) throws -> SearchPage {
    let hash = hash(of: query, isCorrected: near != nil)
    let tags = query.tags.map(tagKey)
    let facets = cursor == nil ? query.facets.map { ($0, tagKey($0)) } : []
    var (keys, areAll) = try keys(words, query, reader)
    for (index, near) in (near ?? []).enumerated() { keys[index] += near.filter { !keys[index].contains($0) } }
    try source.open(keys.flatMap { $0 } + tags + facets.map(\.1), reader)
    let groups = groups(keys, frozen: cursor?.weights, source)
    let limit = max(0, shape.hits - Int(cursor?.offset ?? 0))
    var scan = SearchScan(
      source: source, groups: groups, tags: tags, ranges: query.ranges, facets: facets, order: query.order,
      after: cursor?.last, limit: limit)
    if limit > 0 { try scan.run(budget: shape.postings, reader) }
    let isComplete = scan.isComplete && areAll
    let latest = cursor.map(\.latest) ?? clock.now() + SearchLimits.clockDifference
    // Of a first page all hits are as they are; on a further one those that came since are left out.
    let hits =
      try cursor == nil ? scan.best.sorted : keeping(scan.best.sorted, until: latest, first: pageSize + 1, reader)
    let shown = Array(hits.prefix(pageSize))
    var next: SearchCursor?
    if hits.count > pageSize, let last = shown.last {
      // In a list that is made anew, offsets go on from what was shown before.
      let before = Array(repeating: SearchHit(id: 0, score: 0), count: Int(cursor?.offset ?? 0))
      next = SearchCursor(
        list: results.keep(
          before + hits, isComplete: isComplete, query: hash, latest: cursor == nil ? nil : latest),
        offset: Int64(before.count + shown.count), last: last, query: hash, weights: groups.map(\.weight),
        latest: latest)
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

  /// What a document must have, with weights: those of the first page if there was one.
  private func groups(_ keys: [[Int64]], frozen: [Int64]?, _ source: SearchSource) -> [SearchScan.Group] {
    keys.enumerated().map { index, keys in
      let weight = frozen.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      return SearchScan.Group(
        keys: keys, weight: weight ?? Self.weight(frequencies: keys.map(source.frequency), of: source.documents))
    }
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

  /// Leaves out of a list what was added or changed after an instant, as far as so many hits that stay.
  private func keeping(
    _ hits: [SearchHit], until latest: Instant?, first count: Int, _ reader: any Reader
  ) throws -> [SearchHit] {
    guard let latest else { return hits }
    var kept: [SearchHit] = []
    var rest = hits[...]
    while kept.count < count, !rest.isEmpty {
      let some = rest.prefix(Self.idsAtOnce)
      rest = rest.dropFirst(some.count)
      let stored = try stored(some, reader)
      kept += some.filter { hit in stored[hit.id].map { $0.changedAt <= latest } ?? false }
    }
    return kept + rest
  }

  /// What is there now of hits, and when it was changed, by their ids.
  private func stored(
    _ hits: ArraySlice<SearchHit>, _ reader: any Reader
  ) throws -> [Int64: (entry: SearchEntry, changedAt: Instant)] {
    var stored: [Int64: (entry: SearchEntry, changedAt: Instant)] = [:]
    for (ids, list) in Self.lists(hits.map(\.id)) {
      try reader.query(
        "SELECT document, entry, changed_at FROM octet_search_documents WHERE collection = $1 AND document IN \(list)",
        [.integer(collection)] + ids
      ) { stored[$0[0]] = (SearchEntry($0[1]), $0[2]) }
    }
    return stored
  }

  /// A further page of a list that is known, without what has gone or no longer matches.
  /// - Parameter latest: what was changed later is in the list and must be left out.
  private func page(
    of hits: [SearchHit], _ cursor: SearchCursor, _ query: SearchQuery, _ pageSize: Int, latest: Instant?,
    isComplete: Bool, isCorrected: Bool, _ reader: any Reader
  ) throws -> SearchPage {
    let tags = query.tags.map(tagKey)
    var position = min(Int(cursor.offset), hits.count)
    var shown: [SearchHit] = []
    while position < hits.count, shown.count < pageSize {
      // As many as the whole page has, also for the rest of one: where much has gone, much is looked through.
      let some = hits[position...].prefix(min(pageSize, Self.idsAtOnce))
      let stored = try stored(some, reader)
      for hit in some where shown.count < pageSize {
        position += 1
        guard let found = stored[hit.id], latest.map({ found.changedAt <= $0 }) ?? true else { continue }
        if SearchScan.matches(found.entry, tags: tags, ranges: query.ranges) { shown.append(hit) }
      }
    }
    var next: SearchCursor?
    if position < hits.count {
      next = SearchCursor(
        list: cursor.list, offset: Int64(position), last: hits[position - 1], query: cursor.query,
        weights: cursor.weights, latest: cursor.latest)
    }
    return SearchPage(hits: shown, next: next, isComplete: isComplete, facets: [:], isCorrected: isCorrected)
  }

  /// What a cursor is bound to.
  private func hash(of query: SearchQuery, isCorrected: Bool) -> Int64 {
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
