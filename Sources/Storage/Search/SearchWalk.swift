/// Walks posting lists in the order of what they contribute, and stops as soon as nothing unseen can be among the best:
/// the threshold algorithm (R. Fagin, A. Lotem, M. Naor: "Optimal aggregation algorithms for middleware", 2003).
///
/// Confined to the read that made it.
struct SearchWalk {
  /// A word of the query, or the completions of its last one: a document must have one of the keys.
  struct Group {
    let keys: [Int64]
    /// How many documents have it, about.
    let frequency: Int64
    /// The inverse document frequency, in thousandths.
    let weight: Int64

    /// What the group adds to a document's score, or nil if the document has none of the keys.
    func contribution(_ entry: SearchEntry) -> Int64? {
      keys.compactMap { entry.impact(of: $0) }.max().map { Int64($0) * weight }
    }
  }

  private struct List {
    let key: Int64
    let group: Int
    var rank = Int64.min
    var document = Int64.min
    var isAtEnd = false
    /// What an unseen document of the list contributes at most.
    var frontier: Int64 { isAtEnd ? 0 : rank == .min ? Int64(UInt16.max) : -rank }
  }

  let groups: [Group]
  /// Keys of tags, all of which must be there, with their frequencies.
  let tags: [(key: Int64, frequency: Int64)]
  let ranges: [Int: ClosedRange<Int64>]
  let facets: [(tag: String, key: Int64)]
  let collection: Int64
  /// Hits up to this one have been shown.
  let after: SearchHit?

  private(set) var hits: [SearchHit] = []
  private(set) var counts: [String: Int] = [:]
  private(set) var isComplete = false
  private var seen: Set<Int64> = []
  private var lists: [List] = []
  /// What groups that are not walked contribute at most.
  private var rest: Int64 = 0

  init(
    groups: [Group], tags: [(key: Int64, frequency: Int64)], ranges: [Int: ClosedRange<Int64>],
    facets: [(tag: String, key: Int64)], collection: Int64, after: SearchHit?
  ) {
    self.groups = groups
    self.tags = tags
    self.ranges = ranges
    self.facets = facets
    self.collection = collection
    self.after = after
  }

  /// The better hit first; ties by id.
  static func isBefore(_ a: SearchHit, _ b: SearchHit) -> Bool {
    a.score != b.score ? a.score > b.score : a.id < b.id
  }

  /// Finds the best `limit` hits.
  mutating func run(limit: Int, _ reader: any Reader) throws {
    try choose(reader)
    while seen.count < SearchLimits.candidates {
      guard let next = lists.indices.filter({ !lists[$0].isAtEnd }).max(by: { bound(of: $0) < bound(of: $1) }) else {
        isComplete = true
        break
      }
      try readBlock(next, reader)
      if hasGroupAtEnd {
        isComplete = true
        break
      }
      if hits.count >= limit {
        hits.sort(by: Self.isBefore)
        if hits[limit - 1].score > threshold { break }
      }
    }
    hits.sort(by: Self.isBefore)
    hits.removeLast(max(0, hits.count - limit))
  }

  private func bound(of list: Int) -> Int64 {
    lists[list].group < 0 ? lists[list].frontier : lists[list].frontier * groups[lists[list].group].weight
  }

  /// Whether all lists of one requirement are at their ends: every match has been seen.
  private var hasGroupAtEnd: Bool {
    Set(lists.map(\.group)).contains { group in lists.allSatisfy { $0.group != group || $0.isAtEnd } }
  }

  /// What a document scores at most that was not seen yet.
  private var threshold: Int64 {
    if groups.isEmpty { return lists.first?.frontier ?? 0 }
    var sum = rest
    for (index, group) in groups.enumerated() {
      sum += (lists.lazy.filter { $0.group == index }.map(\.frontier).max() ?? 0) * group.weight
    }
    return sum
  }

  /// Chooses the lists to walk: those of the rarest word or tag if they can be read to their ends, else those of all
  /// words side by side.
  private mutating func choose(_ reader: any Reader) throws {
    let group = groups.indices.min { groups[$0].frequency < groups[$1].frequency }
    let tag = tags.min { $0.frequency < $1.frequency }
    var walked: Set<Int> = []
    if let tag, tag.frequency <= (group.map { groups[$0].frequency } ?? .max),
      tag.frequency <= Int64(SearchLimits.candidates) || groups.isEmpty
    {
      lists = [List(key: tag.key, group: -1)]
    } else if let group, groups[group].frequency <= Int64(SearchLimits.candidates) {
      lists = groups[group].keys.map { List(key: $0, group: group) }
      walked = [group]
    } else {
      lists = groups.indices.flatMap { index in groups[index].keys.map { List(key: $0, group: index) } }
      walked = Set(groups.indices)
    }
    for (index, group) in groups.enumerated() where !walked.contains(index) {
      var head: Int64 = 0
      for key in group.keys {
        let best: Int64? = try reader.first(
          "SELECT rank FROM octet_search_postings WHERE term = $1 ORDER BY rank, document LIMIT 1", key
        ) { $0[0] }
        head = max(head, -(best ?? 0))
      }
      rest += head * group.weight
    }
  }

  private mutating func readBlock(_ index: Int, _ reader: any Reader) throws {
    var count = 0
    var list = lists[index]
    try reader.forEachRow(
      SearchIndex.blockSQL,
      [
        .integer(list.key), .integer(list.rank), .integer(list.document), .integer(Int64(Self.block)),
        .integer(collection),
      ]
    ) { row in
      count += 1
      let (rank, document): (Int64, Int64) = (row[0], row[1])
      // A join keeps no order.
      if (rank, document) > (list.rank, list.document) { (list.rank, list.document) = (rank, document) }
      if seen.insert(document).inserted { consider(document, SearchEntry(row[2]), tagRank: -rank) }
      return true
    }
    list.isAtEnd = count < Self.block
    lists[index] = list
  }

  private static let block = 256

  private mutating func consider(_ document: Int64, _ entry: SearchEntry, tagRank: Int64) {
    guard matches(entry) else { return }
    var score: Int64 = groups.isEmpty ? tagRank : 0
    for group in groups {
      guard let contribution = group.contribution(entry) else { return }
      score += contribution
    }
    for facet in facets where entry.impact(of: facet.key) != nil { counts[facet.tag, default: 0] += 1 }
    let hit = SearchHit(id: document, score: score)
    if let after, !Self.isBefore(after, hit) { return }
    hits.append(hit)
  }

  /// Whether a document has all tags and its numbers lie in the ranges.
  func matches(_ entry: SearchEntry) -> Bool {
    tags.allSatisfy { entry.impact(of: $0.key) != nil }
      && ranges.allSatisfy { position, range in entry.number(position).map(range.contains) ?? false }
  }
}
