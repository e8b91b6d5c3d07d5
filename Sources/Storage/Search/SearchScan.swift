/// Finds the best documents that have all words and tags: in each segment the lists are cut with one another, the
/// shortest first; the documents that are in no segment yet are looked at one by one.
///
/// Confined to the read that made it.
struct SearchScan {
  /// A word of the query, or the completions of its last one: a document must have one of the keys.
  struct Group: Sendable, Equatable {
    let keys: [Int64]
    /// The inverse document frequency, in thousandths.
    let weight: Int64
  }

  /// What all lists of one query are read from.
  let source: SearchSource
  let groups: [Group]
  /// Keys of tags, all of which must be there.
  let tags: [Int64]
  let ranges: [Int: ClosedRange<Int64>]
  let facets: [(tag: String, key: Int64)]
  let order: SearchOrder
  /// Hits up to this one have been shown.
  let after: SearchHit?

  private let limit: Int
  private(set) var best: SearchTop
  private(set) var counts: [String: Int] = [:]
  /// What was left out of long lists is not better than these.
  private var bounds: [SearchHit] = []
  /// Whether the best postings of long lists sufficed.
  private(set) var isFromBest = false
  /// Whether the limit of postings was not reached.
  private(set) var isComplete = true

  init(
    source: SearchSource, groups: [Group], tags: [Int64], ranges: [Int: ClosedRange<Int64>],
    facets: [(tag: String, key: Int64)], order: SearchOrder, after: SearchHit?, limit: Int
  ) {
    self.order = order
    self.source = source
    self.groups = groups
    self.tags = tags
    self.ranges = ranges
    self.facets = facets
    self.after = after
    self.limit = limit
    best = SearchTop(limit: limit)
  }

  /// Finds the best hits. Of a single word, or of all completions of one, the best postings of long lists mostly do.
  /// - Parameter budget: how many postings may be looked at.
  mutating func run(budget: Int, _ reader: any Reader) throws {
    if groups.count == 1, ranges.isEmpty, facets.isEmpty, after == nil, order == .relevance {
      try run(budget: budget, fromBest: true, reader)
      if bounds.isEmpty { return }
      let hits = best.sorted
      if hits.count == limit, let worst = hits.last, bounds.allSatisfy({ !SearchTop.isBefore($0, worst) }) {
        isFromBest = true
        return
      }
      (best, isComplete) = (SearchTop(limit: limit), true)
    }
    try run(budget: budget, fromBest: false, reader)
  }

  private mutating func run(budget: Int, fromBest: Bool, _ reader: any Reader) throws {
    searchFresh()
    let plans = plans(budget: budget, fromBest: fromBest)
    try load(plans, reader)
    // The largest first: what their best hits score soon keeps most others out.
    for plan in plans.sorted(by: { $0.segment.documents > $1.segment.documents }) { try search(plan, reader) }
  }

  /// The documents that are in no segment yet.
  private mutating func searchFresh() {
    let words = groups.map { source.freshImpacts($0.keys) }
    for (place, (document, entry)) in source.fresh.enumerated() {
      guard words.allSatisfy({ $0[place] > 0 }), Self.matches(entry, tags: tags, ranges: ranges) else { continue }
      var score = groups.isEmpty ? Int64(tags.first.flatMap { entry.impact(of: $0) } ?? 0) : 0
      for (impacts, group) in zip(words, groups) { score += Int64(impacts[place]) * group.weight }
      if let position = order.position { score = order.score(of: entry.number(position)) }
      for facet in facets where entry.impact(of: facet.key) != nil { counts[facet.tag, default: 0] += 1 }
      offer(SearchHit(id: document, score: score))
    }
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

  private mutating func offer(_ ordinal: Int, _ score: Int64, _ ids: [Int64]) {
    let id = ids[ordinal]
    // Sealed between two statements of a transaction that does not read a snapshot.
    if !source.isFresh(id) { offer(SearchHit(id: id, score: score)) }
  }

  // MARK: - What to read

  /// A word or tag that a document of a segment must have.
  private struct Need {
    /// That are in the segment.
    let keys: [Int64]
    let total: Int
    let weight: Int64
    let isWord: Bool
  }

  /// What is to be done in one segment.
  private struct Plan {
    let segment: SearchSegment
    /// What each document scores by that which all of them have alike; the lists need not be cut with it.
    var base: Int64 = 0
    /// The seldomest first.
    var needs: [Need] = []
    /// Only the best postings of long lists are looked at.
    var isFromBest = false
    /// Postings that are looked at.
    var cost = 0
  }

  /// As many segments as the budget allows, the newest first.
  private mutating func plans(budget: Int, fromBest: Bool) -> [Plan] {
    var left = budget
    var plans: [Plan] = []
    for segment in source.segments {
      guard let plan = plan(segment, fromBest: fromBest) else { continue }
      left -= plan.cost
      if left < 0 {
        isComplete = false
        break
      }
      plans.append(plan)
    }
    return plans
  }

  /// - Returns: nil if no document of the segment can have all that it must.
  private func plan(_ segment: SearchSegment, fromBest: Bool) -> Plan? {
    var plan = Plan(segment: segment)
    var needs: [Need] = []
    for (keys, weight, isWord) in groups.map({ ($0.keys, $0.weight, true) })
      + tags.enumerated().map({ ([$1], groups.isEmpty && $0 == 0 ? 1 : 0, false) })
    {
      let present = keys.filter { source.total($0, segment.id) > 0 }
      if present.isEmpty { return nil }
      let total = present.reduce(0) { $0 + source.total($1, segment.id) }
      if present.count == 1, let impact = source.uniform(present[0], segment.id) {
        plan.base += Int64(impact) * weight
        // They have to be gone through if nothing else narrows them down.
        plan.cost += total
      } else {
        needs.append(Need(keys: present, total: total, weight: weight, isWord: isWord))
      }
    }
    needs.sort { $0.total < $1.total }
    plan.needs = needs
    plan.isFromBest =
      fromBest && needs.count == 1 && needs[0].isWord && needs[0].keys.contains { source.isLong($0, segment.id) }
    for key in keys(toReadFor: plan) { plan.cost += source.total(key, segment.id) }
    return plan
  }

  /// Terms whose lists are read from end to end.
  private func keys(toReadFor plan: Plan) -> [Int64] {
    let segment = plan.segment.id
    var keys: [Int64] = []
    for (index, need) in plan.needs.enumerated() {
      for key in need.keys {
        if plan.isFromBest, source.isLong(key, segment) { continue }
        if index > 0, source.areFew(plan.needs[0].total, in: source.total(key, segment)) { continue }
        keys.append(key)
      }
    }
    for facet in facets where source.total(facet.key, segment) > 0 {
      if let first = plan.needs.first, source.areFew(first.total, in: source.total(facet.key, segment)) {
        continue
      }
      keys.append(facet.key)
    }
    return keys
  }

  private func load(_ plans: [Plan], _ reader: any Reader) throws {
    try source.load(plans.flatMap { plan in keys(toReadFor: plan).map { (plan.segment.id, $0) } }, reader)
    try source.loadBest(
      plans.filter(\.isFromBest).flatMap { plan in plan.needs[0].keys.map { (plan.segment.id, $0) } }, reader)
  }

  // MARK: - Segments

  private mutating func search(_ plan: Plan, _ reader: any Reader) throws {
    let segment = plan.segment
    let ids = try source.index.documents(of: segment, reader)
    if plan.needs.count == 1, plan.needs[0].keys.count == 1, facets.isEmpty, !plan.isFromBest, order == .relevance,
      ranges.isEmpty || !source.areFew(plan.needs[0].total, in: segment.documents)
    {
      return try offerAll(plan, ids, reader)
    }
    var found = SearchMatches(documents: segment.documents, base: plan.base)
    for (index, need) in plan.needs.enumerated() {
      if index > 0 {
        let lists = try need.keys.map { try source.parts($0, segment.id, for: found.ordinals, reader) }
        found.cut(with: lists, weight: need.weight)
      } else if plan.isFromBest {
        found.begin(with: try bestLists(need, plan, ids, reader), weight: need.weight, atMost: need.total)
      } else {
        let lists = try need.keys.map { try source.parts($0, segment.id, reader) }
        found.begin(with: lists, weight: need.weight, atMost: need.total)
      }
      if found.isEmpty { return }
    }
    if plan.needs.isEmpty { found.beginWithAll() }
    var filter = try filter(segment, for: found.ordinals, reader)
    if !facets.isEmpty {
      found.keep { filter.passes($0) }
      if found.isEmpty { return }
      for facet in facets where source.total(facet.key, segment.id) > 0 {
        let count = found.count(in: try source.parts(facet.key, segment.id, for: found.ordinals, reader))
        if count > 0 { counts[facet.tag, default: 0] += count }
      }
    }
    if let position = order.position {
      let column = try source.column(position, segment, for: found.ordinals, reader)
      // Where facets were counted, all that is left has passed.
      return offerAll(found.ordinals, by: column, facets.isEmpty ? filter : nil, ids)
    }
    for index in found.ordinals.indices where best.mayTake(found.scores[index]) {
      let ordinal = Int(found.ordinals[index])
      if !facets.isEmpty || filter.passes(ordinal) { offer(ordinal, found.scores[index], ids) }
    }
  }

  /// Offers documents by their numbers: most come too late to be asked for anything else.
  private mutating func offerAll(_ ordinals: [Int32], by column: SearchColumn, _ filter: Filter?, _ ids: [Int64]) {
    var (column, filter) = (column, filter)
    for ordinal in ordinals {
      let score = order.score(of: column.number(Int(ordinal)))
      if best.mayTake(score), filter?.passes(Int(ordinal)) ?? true { offer(Int(ordinal), score, ids) }
    }
  }

  /// Offers the documents of a single list: most are not good enough, which their impact alone tells.
  private mutating func offerAll(_ plan: Plan, _ ids: [Int64], _ reader: any Reader) throws {
    let segment = plan.segment
    let parts = try source.parts(plan.needs[0].keys[0], segment.id, reader)
    let (weight, base) = (plan.needs[0].weight, plan.base)
    var filter = try filter(segment, for: nil, reader)
    var least = best.least
    SearchPostings.forEach(parts, documents: segment.documents) { ordinal, impact in
      let score = Int64(impact) &* weight &+ base
      if score < least || !filter.passes(ordinal) { return }
      offer(ordinal, score, ids)
      least = best.least
    }
  }

  /// The best postings of the long ones of a need's lists, and the others. Notes how good what is left out can be.
  private mutating func bestLists(
    _ need: Need, _ plan: Plan, _ ids: [Int64], _ reader: any Reader
  ) throws -> [[[UInt8]]] {
    let segment = plan.segment
    return try need.keys.map { key in
      if !source.isLong(key, segment.id) { return try source.parts(key, segment.id, reader) }
      let list = try source.best(key, segment.id, reader)
      var last: (ordinal: Int, impact: UInt16) = (0, .max)
      SearchPostings.forEach(list, documents: segment.documents) { if $1 <= last.impact { last = ($0, $1) } }
      bounds.append(SearchHit(id: ids[last.ordinal], score: Int64(last.impact) * need.weight + plan.base))
      return list
    }
  }

  /// What else is asked of a segment's document: that it lives, and that its numbers lie in the ranges.
  private struct Filter {
    let segment: SearchSegment
    var columns: [(range: ClosedRange<Int64>, column: SearchColumn)]

    /// - Parameter ordinal: not below that of the call before.
    mutating func passes(_ ordinal: Int) -> Bool {
      if segment.isDead(ordinal) { return false }
      for index in columns.indices {
        guard let number = columns[index].column.number(ordinal), columns[index].range.contains(number) else {
          return false
        }
      }
      return true
    }
  }

  private func filter(_ segment: SearchSegment, for ordinals: [Int32]?, _ reader: any Reader) throws -> Filter {
    let columns = try ranges.map { position, range in
      (range, try source.column(position, segment, for: ordinals, reader))
    }
    return Filter(segment: segment, columns: columns)
  }
}
