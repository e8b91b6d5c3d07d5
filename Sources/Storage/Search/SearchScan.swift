/// Finds the best documents that have all words and tags: in each segment the lists are cut with one another, the
/// shortest first; the documents that are in no segment yet are looked at one by one.
///
/// Confined to the read that made it.
struct SearchScan {
  /// A word of the query, or the completions of its last one: a document must have one of the keys.
  struct Group {
    let keys: [Int64]
    /// The inverse document frequency, in thousandths.
    let weight: Int64

    /// What the group adds to a document's score, or nil if the document has none of the keys.
    func contribution(_ entry: SearchEntry) -> Int64? {
      keys.compactMap { entry.impact(of: $0) }.max().map { Int64($0) * weight }
    }
  }

  /// What all lists of one query are read from.
  let source: SearchSource
  let groups: [Group]
  /// Keys of tags, all of which must be there.
  let tags: [Int64]
  let ranges: [Int: ClosedRange<Int64>]
  let facets: [(tag: String, key: Int64)]
  /// Hits up to this one have been shown.
  let after: SearchHit?

  private(set) var best: SearchTop
  private(set) var counts: [String: Int] = [:]
  /// Whether the limit of postings was not reached.
  private(set) var isComplete = true

  init(
    source: SearchSource, groups: [Group], tags: [Int64], ranges: [Int: ClosedRange<Int64>],
    facets: [(tag: String, key: Int64)], after: SearchHit?, limit: Int
  ) {
    self.source = source
    self.groups = groups
    self.tags = tags
    self.ranges = ranges
    self.facets = facets
    self.after = after
    best = SearchTop(limit: limit)
  }

  /// Finds the best hits.
  /// - Parameter budget: how many postings may be looked at.
  mutating func run(budget: Int, _ reader: any Reader) throws {
    for (document, entry) in source.fresh { consider(document, entry) }
    var left = budget
    for segment in source.segments {
      guard let needs = needs(in: segment) else { continue }
      left -= needs.reduce(0) { $0 + $1.total }
      if left < 0 {
        isComplete = false
        break
      }
      try search(segment, needs, reader)
    }
  }

  private mutating func consider(_ document: Int64, _ entry: SearchEntry) {
    guard Self.matches(entry, tags: tags, ranges: ranges) else { return }
    var score = groups.isEmpty ? Int64(tags.first.flatMap { entry.impact(of: $0) } ?? 0) : 0
    for group in groups {
      guard let contribution = group.contribution(entry) else { return }
      score += contribution
    }
    for facet in facets where entry.impact(of: facet.key) != nil { counts[facet.tag, default: 0] += 1 }
    offer(SearchHit(id: document, score: score))
  }

  /// Whether a document has all tags and its numbers lie in the ranges.
  static func matches(_ entry: SearchEntry, tags: [Int64], ranges: [Int: ClosedRange<Int64>]) -> Bool {
    tags.allSatisfy { entry.impact(of: $0) != nil }
      && ranges.allSatisfy { position, range in entry.number(position).map(range.contains) ?? false }
  }

  private mutating func offer(_ hit: SearchHit) {
    if let after, !SearchTop.isBefore(after, hit) { return }
    best.offer(hit)
  }

  // MARK: - Segments

  /// A word or tag that a document of a segment must have.
  private struct Need {
    /// That are in the segment.
    let keys: [Int64]
    let total: Int
    let weight: Int64
  }

  /// What documents of a segment must have, the seldomest first; nil if none of them can have all.
  private func needs(in segment: SearchSegment) -> [Need]? {
    var needs: [Need] = []
    for (keys, weight) in groups.map({ ($0.keys, $0.weight) })
      + tags.enumerated().map({ ([$1], groups.isEmpty && $0 == 0 ? 1 : 0) })
    {
      let present = keys.filter { source.total($0, segment.id) > 0 }
      if present.isEmpty { return nil }
      needs.append(
        Need(keys: present, total: present.reduce(0) { $0 + source.total($1, segment.id) }, weight: weight))
    }
    return needs.sorted { $0.total < $1.total }
  }

  private mutating func search(_ segment: SearchSegment, _ needs: [Need], _ reader: any Reader) throws {
    var found = SearchMatches(documents: segment.documents)
    for (index, need) in needs.enumerated() {
      let lists = try need.keys.map { try source.parts($0, segment.id, reader) }
      if index == 0 {
        found.begin(with: lists, weight: need.weight)
      } else {
        found.cut(with: lists, weight: need.weight)
      }
      if found.isEmpty { return }
    }
    if !segment.dead.isEmpty { found.keep { !segment.isDead($0) } }
    for (position, range) in ranges {
      if found.isEmpty { return }
      var column = SearchColumn(segment: segment, term: source.index.numberKey(position))
      try column.load(found.ordinals, reader)
      found.keep { column[$0].map(range.contains) ?? false }
    }
    if found.isEmpty { return }
    for facet in facets where source.total(facet.key, segment.id) > 0 {
      let count = found.count(in: try source.parts(facet.key, segment.id, reader))
      if count > 0 { counts[facet.tag, default: 0] += count }
    }
    let ids = try source.index.documents(of: segment, reader)
    for (ordinal, score) in zip(found.ordinals, found.scores) where best.mayTake(score) {
      let id = ids[Int(ordinal)]
      // Sealed between two statements of a transaction that does not read a snapshot.
      if !source.isFresh(id) { offer(SearchHit(id: id, score: score)) }
    }
  }
}

/// The best hits so far.
struct SearchTop {
  private let limit: Int
  private var hits: [SearchHit] = []
  /// The last one of the best, once there are enough.
  private var worst: SearchHit?

  init(limit: Int) { self.limit = limit }

  /// The better hit first; ties by id.
  static func isBefore(_ a: SearchHit, _ b: SearchHit) -> Bool {
    a.score != b.score ? a.score > b.score : a.id < b.id
  }

  func mayTake(_ score: Int64) -> Bool { worst.map { score >= $0.score } ?? true }

  mutating func offer(_ hit: SearchHit) {
    if let worst, !Self.isBefore(hit, worst) { return }
    hits.append(hit)
    if hits.count >= 2 * max(limit, 1) {
      hits = sorted
      worst = hits.last
    }
  }

  /// The best first.
  var sorted: [SearchHit] { Array(hits.sorted(by: Self.isBefore).prefix(limit)) }
}

/// Documents of one segment that have all that was asked for so far, with their scores.
struct SearchMatches {
  let documents: Int
  private(set) var ordinals: [Int32] = []
  private(set) var scores: [Int64] = []

  init(documents: Int) { self.documents = documents }

  var isEmpty: Bool { ordinals.isEmpty }

  /// Takes the documents of lists, each with the greatest of its impacts.
  mutating func begin(with lists: [[[UInt8]]], weight: Int64) {
    var (ordinals, scores): ([Int32], [Int64]) = ([], [])
    if lists.count == 1 {
      SearchPostings.forEach(lists[0], documents: documents) { ordinal, impact in
        ordinals.append(Int32(truncatingIfNeeded: ordinal))
        scores.append(Int64(impact) &* weight)
      }
    } else {
      for (ordinal, impact) in greatest(lists).enumerated() where impact > 0 {
        ordinals.append(Int32(ordinal))
        scores.append(Int64(impact) * weight)
      }
    }
    (self.ordinals, self.scores) = (ordinals, scores)
  }

  /// Leaves the documents that are in one of the lists.
  mutating func cut(with lists: [[[UInt8]]], weight: Int64) {
    var (ordinals, scores) = (self.ordinals, self.scores)
    (self.ordinals, self.scores) = ([], [])
    var kept = 0
    if lists.count == 1 {
      var next = 0
      let count = ordinals.count
      SearchPostings.forEach(lists[0], documents: documents) { ordinal, impact in
        while next < count, Int(ordinals[next]) < ordinal { next += 1 }
        if next < count, Int(ordinals[next]) == ordinal {
          ordinals[kept] = ordinals[next]
          scores[kept] = scores[next] &+ Int64(impact) &* weight
          kept += 1
          next += 1
        }
      }
    } else {
      let greatest = greatest(lists)
      for index in ordinals.indices {
        let impact = greatest[Int(ordinals[index])]
        if impact == 0 { continue }
        ordinals[kept] = ordinals[index]
        scores[kept] = scores[index] + Int64(impact) * weight
        kept += 1
      }
    }
    ordinals.removeLast(ordinals.count - kept)
    scores.removeLast(scores.count - kept)
    (self.ordinals, self.scores) = (ordinals, scores)
  }

  mutating func keep(_ condition: (Int) -> Bool) {
    var kept = 0
    for index in ordinals.indices where condition(Int(ordinals[index])) {
      ordinals[kept] = ordinals[index]
      scores[kept] = scores[index]
      kept += 1
    }
    ordinals.removeLast(ordinals.count - kept)
    scores.removeLast(scores.count - kept)
  }

  /// How many of the documents are in a list.
  func count(in parts: [[UInt8]]) -> Int {
    var (next, count) = (0, 0)
    SearchPostings.forEach(parts, documents: documents) { ordinal, _ in
      while next < ordinals.count, Int(ordinals[next]) < ordinal { next += 1 }
      if next < ordinals.count, Int(ordinals[next]) == ordinal { count += 1 }
    }
    return count
  }

  /// The greatest impact of each document; 0: it is in none of the lists.
  private func greatest(_ lists: [[[UInt8]]]) -> [UInt16] {
    var greatest = [UInt16](repeating: 0, count: documents)
    for parts in lists {
      SearchPostings.forEach(parts, documents: documents) { ordinal, impact in
        greatest[ordinal] = max(greatest[ordinal], impact)
      }
    }
    return greatest
  }
}
