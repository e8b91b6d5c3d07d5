internal import Base

/// The lists of one query's terms, read as they are needed. Confined to the read that made it.
final class SearchSource {
  let index: SearchIndex
  /// Documents that are in no segment yet; also what was there at an instant and is not as it was, if the index is searched
  /// as it was then.
  let fresh: [(document: Int64, entry: SearchEntry)]
  private let freshIDs: Set<Int64>
  /// What has changed since that instant.
  private let past: [Int64: SearchEntry?]
  /// The newest first.
  let segments: [SearchSegment]

  /// Of the terms that were opened, by segment.
  private var lists: [Int64: [Int64: SearchList]] = [:]
  /// Of the terms that were opened, the impact in each of the fresh documents, and how many of them have it.
  private var freshPostings: [Int64: (impacts: [UInt16], count: Int)] = [:]

  /// - Parameter moment: as of when the index is searched, as far as documents have changed since; what was added since is
  ///   seen. Nil: as it is.
  init(_ index: SearchIndex, _ reader: any Reader, asOf moment: Instant? = nil) throws {
    self.index = index
    // Before the segments: what is sealed in between is then seen twice and not missed.
    let now: [(document: Int64, entry: SearchEntry)] = try reader.rows(
      "SELECT document, entry FROM octet_search_fresh WHERE collection = $1", index.collection
    ) { ($0[0], SearchEntry($0[1])) }
    segments = try index.segments(reader)
    // Last, so that no change is seen without what was before it.
    let past = try moment.map { try index.past(at: $0, reader) } ?? [:]
    self.past = past
    fresh =
      past.isEmpty
      ? now
      : now.filter { past[$0.document] == nil } + past.compactMap { id, entry in entry.map { (id, $0) } }
    freshIDs = Set(now.lazy.map(\.document)).union(past.keys)
  }

  /// Whether `fresh` says what a document is, or that it is not there, and no segment does.
  func isFresh(_ id: Int64) -> Bool { freshIDs.contains(id) }

  /// Whether a document is as it was.
  func isPast(_ id: Int64) -> Bool { past[id] != nil }

  // MARK: - Dictionaries

  /// Looks some terms up in the fresh documents and in all segments, once.
  func open(_ terms: [Int64], _ reader: any Reader) throws {
    openFresh(terms)
    var wanted: [(segment: Int64, term: Int64)] = []
    for term in terms where lists[term] == nil {
      let known = index.lists.lists(of: term, in: segments)
      lists[term] = known
      for segment in segments where known[segment.id] == nil { wanted.append((segment.id, term)) }
    }
    if wanted.isEmpty { return }
    var found: [Int64: [Int64: SearchList]] = [:]
    for (segment, term) in wanted { found[term, default: [:]][segment] = SearchList(total: 0) }
    try index.dictionary.find(wanted, reader) { segment, entry in
      let part = SearchPostings.Part(first: 0, bytes: entry.list)
      found[entry.term]?[segment] = SearchList(total: entry.total, parts: entry.list.isEmpty ? nil : [part])
    }
    remember(found)
  }

  private func openFresh(_ terms: [Int64]) {
    let new = Set(terms).filter { freshPostings[$0] == nil }.sorted()
    var impacts = new.map { _ in [UInt16](repeating: 0, count: fresh.count) }
    var counts = new.map { _ in 0 }
    for (place, (_, entry)) in fresh.enumerated() {
      entry.forEachImpact(of: new) { term, impact in
        impacts[term][place] = impact
        counts[term] += 1
      }
    }
    for (index, term) in new.enumerated() { freshPostings[term] = (impacts[index], counts[index]) }
  }

  /// The impacts of terms in the fresh documents, of each document the greatest; 0: it has none of them. They must have
  /// been opened.
  func freshImpacts(_ terms: [Int64]) -> [UInt16] {
    var greatest = [UInt16](repeating: 0, count: fresh.count)
    for term in terms {
      guard let (impacts, count) = freshPostings[term], count > 0 else { continue }
      for index in impacts.indices where impacts[index] > greatest[index] { greatest[index] = impacts[index] }
    }
    return greatest
  }

  /// How many documents of a segment have a term, dead ones included. The term must have been opened.
  func total(_ term: Int64, _ segment: Int64) -> Int { lists[term]?[segment]?.total ?? 0 }

  /// How many documents have a term, dead ones included. The term must have been opened.
  func frequency(_ term: Int64) -> Int64 {
    let sealed = lists[term]?.values.reduce(0) { $0 + $1.total } ?? 0
    return Int64(sealed + (freshPostings[term]?.count ?? 0))
  }

  /// How many documents there are, dead ones included.
  var documents: Int64 { Int64(segments.reduce(fresh.count) { $0 + $1.documents }) }

  /// Whether all documents of a segment have a term with the same impact, and which.
  func uniform(_ term: Int64, _ segment: Int64) -> UInt16? {
    guard let part = lists[term]?[segment]?.parts?.first?.bytes, part.count == SearchPostings.uniformBytes else {
      return nil
    }
    return UInt16(part[0]) << 8 | UInt16(part[1])
  }

  // MARK: - Lists

  /// Documents that one statement looks up.
  private static let atOnce = 8

  /// Whether so few documents are looked up in a list or column of so many.
  func areFew(_ documents: Int, in total: Int) -> Bool { documents * index.shape.postingsForLookUp < total }

  /// Reads lists as far as they have rows of their own.
  func load(_ wanted: [(segment: Int64, term: Int64)], _ reader: any Reader) throws {
    let missing = Self.distinct(wanted).filter { segment, term in
      guard let list = lists[term]?[segment] else { return false }
      return list.total > 0 && list.parts == nil
    }
    var read: [Int64: [Int64: SearchList]] = [:]
    for (term, lists) in try ordinaryRows(missing, reader) {
      for (segment, parts) in lists {
        guard var list = self.lists[term]?[segment] else { continue }
        list.parts = parts.sorted { $0.first < $1.first }
        read[term, default: [:]][segment] = list
      }
    }
    remember(read)
  }

  /// Reads the best postings of long lists.
  func loadBest(_ wanted: [(segment: Int64, term: Int64)], _ reader: any Reader) throws {
    let missing = Self.distinct(wanted).filter { isLong($1, $0) && lists[$1]?[$0]?.best == nil }
    var read: [Int64: [Int64: SearchList]] = [:]
    for (term, lists) in try rows(Self.best, missing, reader) {
      for (segment, parts) in lists {
        guard var list = self.lists[term]?[segment] else { continue }
        list.best = parts.sorted { $0.first > $1.first }.map(\.bytes)
        read[term, default: [:]][segment] = list
      }
    }
    remember(read)
  }

  /// Each pair once: a word may be asked for twice, or be a completion, too, and a tag may be counted as well.
  private static func distinct(_ wanted: [(segment: Int64, term: Int64)]) -> [(segment: Int64, term: Int64)] {
    var asked: [Int64: Set<Int64>] = [:]
    return wanted.filter { asked[$0.term, default: []].insert($0.segment).inserted }
  }

  /// The parts of whole lists. Those of few terms are most of what is read; a text that is quick to plan asks for each.
  private func ordinaryRows(
    _ wanted: [(segment: Int64, term: Int64)], _ reader: any Reader
  ) throws -> [Int64: [Int64: [SearchPostings.Part]]] {
    let byTerm = Dictionary(grouping: wanted) { $0.term }
    if byTerm.count > Self.fewTerms { return try rows(Self.lists, wanted, reader) }
    var found: [Int64: [Int64: [SearchPostings.Part]]] = [:]
    for (term, pairs) in byTerm {
      for some in pairs.map({ SQLValue.integer($0.segment) }).filledPieces(of: Self.segmentsAtOnce) {
        try reader.query(Self.listsOfTermSQL, [.integer(term)] + some) { row in
          found[term, default: [:]][row[0], default: []].append(SearchPostings.Part(first: row[1], bytes: row[2]))
        }
      }
    }
    return found
  }

  /// Terms up to which each has statements of its own; the completions of a prefix are more.
  private static let fewTerms = 4
  /// Segments of one of these statements.
  private static let segmentsAtOnce = 16
  private static let listsOfTermSQL = """
    SELECT segment, part, bytes FROM octet_search_blocks
    WHERE term = $1 AND part >= 0 AND segment IN \(placeholders(from: 2, count: segmentsAtOnce))
    """

  /// The parts of lists, by term and segment.
  private func rows(
    _ statement: SearchPairs, _ wanted: [(segment: Int64, term: Int64)], _ reader: any Reader
  ) throws -> [Int64: [Int64: [SearchPostings.Part]]] {
    var found: [Int64: [Int64: [SearchPostings.Part]]] = [:]
    try statement.forEach(wanted, reader) { row in
      let (segment, term): (Int64, Int64) = (row[0], row[1])
      found[term, default: [:]][segment, default: []].append(SearchPostings.Part(first: row[2], bytes: row[3]))
    }
    return found
  }

  private func remember(_ read: [Int64: [Int64: SearchList]]) {
    if read.isEmpty { return }
    for (term, lists) in read { self.lists[term]?.merge(lists) { $1 } }
    index.lists.keep(read)
  }

  private static let lists = partsOf(ordinary: true)
  private static let best = partsOf(ordinary: false)

  /// The pairs come first on every engine: SQLite keeps the order of a `CROSS JOIN`.
  private static func partsOf(ordinary: Bool) -> SearchPairs {
    SearchPairs { values in
      """
      SELECT b.segment, b.term, b.part, b.bytes FROM \(values) s CROSS JOIN octet_search_blocks b
      WHERE b.segment = s.column1 AND b.term = s.column2 AND b.part \(ordinary ? ">=" : "<") 0
      """
    }
  }

  /// A whole list.
  func parts(_ term: Int64, _ segment: Int64, _ reader: any Reader) throws -> [[UInt8]] {
    try load([(segment, term)], reader)
    return lists[term]?[segment]?.parts?.map(\.bytes) ?? []
  }

  /// What a list says of some documents, and perhaps of others.
  /// - Parameter ordinals: rising.
  func parts(
    _ term: Int64, _ segment: Int64, for ordinals: [Int32], _ reader: any Reader
  ) throws -> [[UInt8]] {
    guard let list = lists[term]?[segment], areFew(ordinals.count, in: list.total) else {
      return try parts(term, segment, reader)
    }
    if let parts = list.parts { return Self.parts(parts, with: ordinals) }
    return try lookUp(term, segment, ordinals, reader).map(\.bytes)
  }

  /// Those of a list's parts that would have some documents.
  private static func parts(_ parts: [SearchPostings.Part], with ordinals: [Int32]) -> [[UInt8]] {
    var picked: [[UInt8]] = []
    var (next, ordinal) = (0, ordinals.startIndex)
    while ordinal < ordinals.endIndex, next < parts.count {
      while next + 1 < parts.count, parts[next + 1].first <= Int(ordinals[ordinal]) { next += 1 }
      picked.append(parts[next].bytes)
      next += 1
      guard next < parts.count else { break }
      while ordinal < ordinals.endIndex, Int(ordinals[ordinal]) < parts[next].first { ordinal += 1 }
    }
    return picked
  }

  /// The parts of a list or column that have some documents, each once.
  private func lookUp(
    _ key: Int64, _ segment: Int64, _ ordinals: [Int32], _ reader: any Reader
  ) throws -> [SearchPostings.Part] {
    var found: [Int: [UInt8]] = [:]
    for some in ordinals.map({ SQLValue.integer(Int64($0)) }).filledPieces(of: Self.atOnce) {
      try reader.query(Self.lookUpSQL, [.integer(segment), .integer(key)] + some) { found[$0[0]] = $0[1] }
    }
    return found.sorted { $0.key < $1.key }.map { SearchPostings.Part(first: $0.key, bytes: $0.value) }
  }

  private static let lookUpSQL = """
    SELECT part, bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 AND part IN (\((3..<(3 + atOnce)).map {
      "(SELECT max(part) FROM octet_search_blocks WHERE segment = $1 AND term = $2 AND part <= $\($0))"
    }.joined(separator: ", ")))
    """

  /// Whether a list's best postings are kept once more.
  func isLong(_ term: Int64, _ segment: Int64) -> Bool {
    total(term, segment) > index.shape.longList && uniform(term, segment) == nil
  }

  /// The best postings of a long list.
  func best(_ term: Int64, _ segment: Int64, _ reader: any Reader) throws -> [[UInt8]] {
    try loadBest([(segment, term)], reader)
    return lists[term]?[segment]?.best ?? []
  }

  // MARK: - Numbers

  /// The numbers at a position.
  /// - Parameter ordinals: for which documents, rising; nil: for all.
  func column(
    _ position: Int, _ segment: SearchSegment, for ordinals: [Int32]?, _ reader: any Reader
  ) throws -> SearchColumn {
    let key = index.numberKey(position)
    if let ordinals, areFew(ordinals.count, in: segment.documents) {
      return SearchColumn(try lookUp(key, segment.id, ordinals, reader))
    }
    return SearchColumn(try columnParts(key, segment, reader))
  }

  /// A whole column, remembered as lists are.
  private func columnParts(
    _ key: Int64, _ segment: SearchSegment, _ reader: any Reader
  ) throws -> [SearchPostings.Part] {
    if let known = index.lists.lists(of: key, in: [segment])[segment.id]?.parts { return known }
    let parts = try reader.rows(
      "SELECT part, bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 ORDER BY part", segment.id, key
    ) { SearchPostings.Part(first: $0[0], bytes: $0[1]) }
    index.lists.keep([key: [segment.id: SearchList(total: segment.documents, parts: parts)]])
    return parts
  }
}
