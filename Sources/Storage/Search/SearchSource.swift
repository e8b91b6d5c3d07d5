internal import Base

/// The lists of one query's terms, read as they are needed. Confined to the read that made it.
final class SearchSource {
  let index: SearchIndex
  /// Documents that are in no segment yet.
  let fresh: [(document: Int64, entry: SearchEntry)]
  private let freshIDs: Set<Int64>
  /// The newest first.
  let segments: [SearchSegment]

  private struct List {
    let total: Int
    /// Nil: in rows of its own that were not read.
    var parts: [[UInt8]]?
  }

  private var lists: [Int64: [Int64: List]] = [:]
  private var bests: [Int64: [Int64: [[UInt8]]]] = [:]

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
    if segments.isEmpty { return }
    for term in terms where lists[term] == nil {
      var found: [Int64: List] = [:]
      try reader.query(Self.termSQL, [.integer(index.collection), .integer(term)]) { row in
        guard let entry = SearchTerms.entry(of: term, in: row[1]) else { return }
        found[row[0]] = List(total: entry.total, parts: entry.list.isEmpty ? nil : [entry.list])
      }
      lists[term] = found
    }
  }

  private static let termSQL = """
    SELECT t.segment, t.bytes FROM octet_search_segments s CROSS JOIN octet_search_terms t
    WHERE s.collection = $1 AND s.state >= 1 AND t.segment = s.segment AND t.term =
    (SELECT max(term) FROM octet_search_terms WHERE segment = s.segment AND term <= $2)
    """

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
    guard let part = lists[term]?[segment]?.parts?.first, part.count == SearchPostings.uniformBytes else { return nil }
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
      return list.parts == nil
    }
    for some in wanted.map(SQLValue.integer).filledPieces(of: Self.atOnce) {
      var found: [Int64: [SearchPostings.Part]] = [:]
      try reader.query(Self.listSQL, [.integer(term)] + some) {
        found[$0[0], default: []].append(SearchPostings.Part(first: $0[1], bytes: $0[2]))
      }
      for (segment, parts) in found {
        lists[term]?[segment]?.parts = parts.sorted { $0.first < $1.first }.map(\.bytes)
      }
    }
  }

  private static let listSQL = """
    SELECT segment, part, bytes FROM octet_search_blocks
    WHERE term = $1 AND part >= 0 AND segment IN \(placeholders(from: 2, count: atOnce))
    """

  /// A whole list.
  func parts(_ term: Int64, _ segment: Int64, _ reader: any Reader) throws -> [[UInt8]] {
    try load(term, of: [segment], reader)
    return lists[term]?[segment]?.parts ?? []
  }

  /// What a list says of some documents, and perhaps of others.
  /// - Parameter ordinals: rising.
  func parts(
    _ term: Int64, _ segment: Int64, for ordinals: [Int32], _ reader: any Reader
  ) throws -> [[UInt8]] {
    guard let list = lists[term]?[segment], list.parts == nil, areFew(ordinals.count, in: list.total) else {
      return try parts(term, segment, reader)
    }
    return try lookUp(term, segment, ordinals, reader).map(\.bytes)
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
    if bests[term] == nil {
      var found: [Int64: [SearchPostings.Part]] = [:]
      try reader.query(Self.bestSQL, [.integer(index.collection), .integer(term)]) {
        found[$0[0], default: []].append(SearchPostings.Part(first: $0[1], bytes: $0[2]))
      }
      bests[term] = found.mapValues { parts in parts.sorted { $0.first > $1.first }.map(\.bytes) }
    }
    return bests[term]?[segment] ?? []
  }

  private static let bestSQL = """
    SELECT b.segment, b.part, b.bytes FROM octet_search_segments s CROSS JOIN octet_search_blocks b
    WHERE s.collection = $1 AND s.state >= 1 AND b.segment = s.segment AND b.term = $2 AND b.part < 0
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
    let parts = try reader.rows(
      "SELECT part, bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 ORDER BY part", segment.id, key
    ) { SearchPostings.Part(first: $0[0], bytes: $0[1]) }
    return SearchColumn(parts)
  }
}
