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
    var rest = terms.filter { lists[$0] == nil }[...]
    for term in rest { lists[term] = [:] }
    for (size, sql) in Self.termSQL {
      while rest.count >= size {
        for some in segments.map({ SQLValue.integer($0.id) }).filledPieces(of: Self.segmentsAtOnce) {
          try reader.query(sql, some + rest.prefix(size).map(SQLValue.integer)) { row in
            let (term, segment): (Int64, Int64) = (row[0], row[1])
            guard let entry = SearchTerms.entry(of: term, in: row[2]) else { return }
            lists[term]?[segment] = List(total: entry.total, parts: entry.list.isEmpty ? nil : [entry.list])
          }
        }
        rest = rest.dropFirst(size)
      }
    }
  }

  /// By how many terms are looked up.
  private static let termSQL = [16, 4, 1].map { size in
    let terms = (0..<size).map { placeholders(from: 1 + segmentsAtOnce + $0, count: 1) }.joined(separator: ", ")
    return (
      size,
      """
      SELECT v.column1, t.segment, t.bytes
      FROM (VALUES \(terms)) v CROSS JOIN octet_search_segments s CROSS JOIN octet_search_terms t
      WHERE s.segment IN \(placeholders(from: 1, count: segmentsAtOnce)) AND t.segment = s.segment
      AND t.term = (SELECT max(term) FROM octet_search_terms WHERE segment = s.segment AND term <= v.column1)
      """
    )
  }

  private static let segmentsAtOnce = 32

  /// How many documents of a segment have a term, dead ones included. The term must have been opened.
  func total(_ term: Int64, _ segment: Int64) -> Int { lists[term]?[segment]?.total ?? 0 }

  /// How many documents have a term, dead ones included.
  func frequency(_ term: Int64) -> Int64 {
    let sealed = segments.reduce(0) { $0 + total(term, $1.id) }
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

  /// Whether so few documents are looked up in a list or column of so many.
  func areFew(_ documents: Int, in total: Int) -> Bool { documents * index.shape.postingsForLookUp < total }

  /// Reads the lists of a term in some segments as far as they have rows of their own.
  func load(_ term: Int64, of segments: [Int64], _ reader: any Reader) throws {
    let wanted = segments.filter { segment in
      guard let list = lists[term]?[segment] else { return false }
      return list.parts == nil
    }
    for (segment, parts) in try read(Self.listSQL, term, wanted, reader) {
      lists[term]?[segment]?.parts = parts.sorted { $0.first < $1.first }.map(\.bytes)
    }
  }

  private static let (listSQL, bestSQL) = (listSQL("part >= 0"), listSQL("part < 0"))

  private static func listSQL(_ condition: String) -> (one: String, many: String) {
    let sql = "SELECT segment, part, bytes FROM octet_search_blocks WHERE term = $1 AND \(condition) AND segment IN "
    return (sql + placeholders(from: 2, count: 1), sql + placeholders(from: 2, count: segmentsAtOnce))
  }

  private func read(
    _ sql: (one: String, many: String), _ term: Int64, _ segments: [Int64], _ reader: any Reader
  ) throws -> [Int64: [SearchPostings.Part]] {
    var found: [Int64: [SearchPostings.Part]] = [:]
    let size = segments.count == 1 ? 1 : Self.segmentsAtOnce
    for some in segments.map(SQLValue.integer).filledPieces(of: size) {
      try reader.query(size == 1 ? sql.one : sql.many, [.integer(term)] + some) {
        found[$0[0], default: []].append(SearchPostings.Part(first: $0[1], bytes: $0[2]))
      }
    }
    return found
  }

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
    for some in ordinals.map({ SQLValue.integer(Int64($0)) }).filledPieces(of: Self.documentsAtOnce) {
      try reader.query(Self.lookUpSQL, [.integer(segment), .integer(key)] + some) { found[$0[0]] = $0[1] }
    }
    return found.sorted { $0.key < $1.key }.map { SearchPostings.Part(first: $0.key, bytes: $0.value) }
  }

  private static let documentsAtOnce = 8
  private static let lookUpSQL = """
    SELECT part, bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 AND part IN (\(lookUps))
    """
  private static let lookUps = (3..<(3 + documentsAtOnce)).map {
    "(SELECT max(part) FROM octet_search_blocks WHERE segment = $1 AND term = $2 AND part <= $\($0))"
  }.joined(separator: ", ")

  /// Whether a list's best postings are kept once more.
  func isLong(_ term: Int64, _ segment: Int64) -> Bool {
    total(term, segment) > index.shape.longList && uniform(term, segment) == nil
  }

  /// The best postings of a long list.
  func best(_ term: Int64, _ segment: Int64, _ reader: any Reader) throws -> [[UInt8]] {
    if bests[term] == nil {
      let long = segments.map(\.id).filter { isLong(term, $0) }
      bests[term] = try read(Self.bestSQL, term, long, reader).mapValues { parts in
        parts.sorted { $0.first > $1.first }.map(\.bytes)
      }
    }
    return bests[term]?[segment] ?? []
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
    let parts = try reader.rows(
      "SELECT part, bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 ORDER BY part", segment.id, key
    ) { SearchPostings.Part(first: $0[0], bytes: $0[1]) }
    return SearchColumn(parts)
  }
}
