internal import Base

/// The lists of one query's terms, read as they are needed. Confined to the read that made it.
final class SearchSource {
  let index: SearchIndex
  /// Documents that are in no segment yet.
  let fresh: [(document: Int64, entry: SearchEntry)]
  private let freshIDs: Set<Int64>
  /// The newest first.
  let segments: [SearchSegment]

  /// Of the terms that were opened, by segment.
  private var lists: [Int64: [Int64: SearchList]] = [:]

  init(_ index: SearchIndex, _ reader: any Reader) throws {
    self.index = index
    // Before the segments: what is sealed in between is then seen twice and not missed.
    fresh = try reader.rows(
      "SELECT document, entry FROM octet_search_fresh WHERE collection = $1", index.collection
    ) { ($0[0], SearchEntry($0[1])) }
    freshIDs = Set(fresh.lazy.map(\.document))
    segments = try index.segments(reader)
  }

  func isFresh(_ id: Int64) -> Bool { freshIDs.contains(id) }

  // MARK: - Dictionaries

  /// Looks some terms up in all segments, once.
  func open(_ terms: [Int64], _ reader: any Reader) throws {
    var wanted: [(segment: Int64, term: Int64)] = []
    for term in terms where lists[term] == nil {
      let known = index.lists.lists(of: term, in: segments)
      lists[term] = known
      for segment in segments where known[segment.id] == nil { wanted.append((segment.id, term)) }
    }
    if wanted.isEmpty { return }
    var found: [Int64: [Int64: SearchList]] = [:]
    for (segment, term) in wanted { found[term, default: [:]][segment] = SearchList(total: 0) }
    let many = wanted.count / Self.manyPairs * Self.manyPairs
    for some in wanted[..<many].filledPieces(of: Self.manyPairs) { try look(some, Self.manyTermsSQL, &found, reader) }
    for some in wanted[many...].filledPieces(of: Self.fewPairs) { try look(some, Self.fewTermsSQL, &found, reader) }
    for (term, lists) in found { remember(lists, term) }
  }

  private func look(
    _ pairs: [(segment: Int64, term: Int64)], _ sql: String, _ found: inout [Int64: [Int64: SearchList]],
    _ reader: any Reader
  ) throws {
    let arguments = pairs.flatMap { [SQLValue.integer($0.segment), .integer($0.term)] }
    try reader.query(sql, arguments) { row in
      let (segment, term): (Int64, Int64) = (row[0], row[1])
      guard let bytes = row[2] as [UInt8]?, let entry = SearchTerms.entry(of: term, in: bytes) else { return }
      let part = SearchPostings.Part(first: 0, bytes: entry.list)
      found[term]?[segment] = SearchList(total: entry.total, parts: entry.list.isEmpty ? nil : [part])
    }
  }

  /// Terms of segments in one statement: those of completions, and those of a word in the segments of a million
  /// documents.
  private static let (manyPairs, fewPairs) = (64, 16)
  private static let manyTermsSQL = termsSQL(manyPairs)
  private static let fewTermsSQL = termsSQL(fewPairs)

  /// The row of a segment's dictionary that would have the term. Both engines call the columns of `VALUES` so.
  private static func termsSQL(_ pairs: Int) -> String {
    let values = (0..<pairs).map { "(CAST($\(2 * $0 + 1) AS BIGINT), CAST($\(2 * $0 + 2) AS BIGINT))" }
    return """
      SELECT s.column1, s.column2, (SELECT bytes FROM octet_search_terms
      WHERE segment = s.column1 AND term <= s.column2 ORDER BY term DESC LIMIT 1)
      FROM (VALUES \(values.joined(separator: ", "))) s
      """
  }

  /// How many documents of a segment have a term, dead ones included. The term must have been opened.
  func total(_ term: Int64, _ segment: Int64) -> Int { lists[term]?[segment]?.total ?? 0 }

  /// How many documents have a term, dead ones included.
  func frequency(_ term: Int64) -> Int64 {
    let sealed = lists[term]?.values.reduce(0) { $0 + $1.total } ?? 0
    return Int64(sealed + fresh.count { $0.entry.impact(of: term) != nil })
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

  /// Terms, or segments, or documents of one statement.
  private static let atOnce = 8

  /// Whether so few documents are looked up in a list or column of so many.
  func areFew(_ documents: Int, in total: Int) -> Bool { documents * index.shape.postingsForLookUp < total }

  /// Reads the lists of a term in some segments as far as they have rows of their own.
  func load(_ term: Int64, of segments: [Int64], _ reader: any Reader) throws {
    let wanted = segments.filter { segment in
      guard let list = lists[term]?[segment] else { return false }
      return list.total > 0 && list.parts == nil
    }
    var read: [Int64: SearchList] = [:]
    for some in wanted.map(SQLValue.integer).filledPieces(of: Self.atOnce) {
      var found: [Int64: [SearchPostings.Part]] = [:]
      try reader.query(Self.listSQL, [.integer(term)] + some) {
        found[$0[0], default: []].append(SearchPostings.Part(first: $0[1], bytes: $0[2]))
      }
      for (segment, parts) in found {
        read[segment] = lists[term]?[segment]
        read[segment]?.parts = parts.sorted { $0.first < $1.first }
      }
    }
    remember(read, term)
  }

  private func remember(_ read: [Int64: SearchList], _ term: Int64) {
    if read.isEmpty { return }
    lists[term]?.merge(read) { $1 }
    index.lists.keep(read, of: term)
  }

  private static let listSQL = """
    SELECT segment, part, bytes FROM octet_search_blocks
    WHERE term = $1 AND part >= 0 AND segment IN \(placeholders(from: 2, count: atOnce))
    """

  /// A whole list.
  func parts(_ term: Int64, _ segment: Int64, _ reader: any Reader) throws -> [[UInt8]] {
    try load(term, of: [segment], reader)
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
    if lists[term]?[segment]?.best == nil {
      let wanted = segments.map(\.id).filter { isLong(term, $0) && lists[term]?[$0]?.best == nil }
      var found: [Int64: [SearchPostings.Part]] = [:]
      for some in wanted.map(SQLValue.integer).filledPieces(of: Self.atOnce) {
        try reader.query(Self.bestSQL, [.integer(term)] + some) {
          found[$0[0], default: []].append(SearchPostings.Part(first: $0[1], bytes: $0[2]))
        }
      }
      var read: [Int64: SearchList] = [:]
      for (segment, parts) in found {
        read[segment] = lists[term]?[segment]
        read[segment]?.best = parts.sorted { $0.first > $1.first }.map(\.bytes)
      }
      remember(read, term)
    }
    return lists[term]?[segment]?.best ?? []
  }

  private static let bestSQL = """
    SELECT segment, part, bytes FROM octet_search_blocks
    WHERE term = $1 AND part < 0 AND segment IN \(placeholders(from: 2, count: atOnce))
    """

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
    index.lists.keep([segment.id: SearchList(total: segment.documents, parts: parts)], of: key)
    return parts
  }
}
