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
    var parts: [[UInt8]]
    var isWhole: Bool
  }

  private var lists: [Int64: [Int64: List]] = [:]

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

  /// Reads the beginnings of the lists of some terms, once.
  func open(_ terms: [Int64], _ reader: any Reader) throws {
    if segments.isEmpty { return }
    for term in terms where lists[term] == nil {
      var found: [Int64: List] = [:]
      try reader.query(Self.headSQL, [.integer(index.collection), .integer(term)]) { row in
        let bytes: [UInt8] = row[2]
        let total: Int = row[1]
        // No posting takes fewer than three octets, and a part is filled.
        let isWhole = bytes.count == 2 || bytes.count < SearchPostings.partBytes - 12
        found[row[0]] = List(total: total, parts: [bytes], isWhole: isWhole)
      }
      lists[term] = found
    }
  }

  private static let headSQL = """
    SELECT b.segment, b.total, b.bytes FROM octet_search_segments s CROSS JOIN octet_search_blocks b
    WHERE s.collection = $1 AND s.state >= 1 AND b.segment = s.segment AND b.term = $2 AND b.part = 0
    """

  /// How many documents of a segment have a term, dead ones included. The term must have been opened.
  func total(_ term: Int64, _ segment: Int64) -> Int { lists[term]?[segment]?.total ?? 0 }

  /// How many documents have a term, dead ones included.
  func frequency(_ term: Int64) -> Int64 {
    let sealed = segments.reduce(0) { $0 + total(term, $1.id) }
    return Int64(sealed + fresh.count { $0.entry.impact(of: term) != nil })
  }

  /// How many documents there are, dead ones included.
  var documents: Int64 { Int64(segments.reduce(fresh.count) { $0 + $1.documents }) }

  /// The first part of a list.
  func head(_ term: Int64, _ segment: Int64) -> [[UInt8]] { lists[term]?[segment]?.parts ?? [] }

  /// A whole list.
  func parts(_ term: Int64, _ segment: Int64, _ reader: any Reader) throws -> [[UInt8]] {
    guard let list = lists[term]?[segment] else { return [] }
    if list.isWhole { return list.parts }
    let open = lists[term]?.filter { !$0.value.isWhole } ?? [:]
    var rest: [Int64: [(part: Int, bytes: [UInt8])]] = [segment: []]
    if open.count > Self.fewLists {
      rest = open.mapValues { _ in [] }
      try reader.query(Self.restSQL, [.integer(index.collection), .integer(term)]) {
        rest[$0[0], default: []].append(($0[1], $0[2]))
      }
    } else {
      try reader.query(
        "SELECT part, bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 AND part > 0",
        [.integer(segment), .integer(term)]
      ) { rest[segment, default: []].append(($0[0], $0[1])) }
    }
    for (segment, parts) in rest {
      guard let list = open[segment] else { continue }
      let all = list.parts + parts.sorted { $0.part < $1.part }.map(\.bytes)
      lists[term]?[segment] = List(total: list.total, parts: all, isWhole: true)
    }
    return lists[term]?[segment]?.parts ?? []
  }

  /// Up to so many, the rests of a term's lists are read one by one.
  private static let fewLists = 4

  private static let restSQL = """
    SELECT b.segment, b.part, b.bytes FROM octet_search_segments s CROSS JOIN octet_search_blocks b
    WHERE s.collection = $1 AND s.state >= 1 AND b.segment = s.segment AND b.term = $2 AND b.part > 0
    """
}

/// The numbers of a segment's documents at one position, as far as they were loaded.
struct SearchColumn {
  let segment: SearchSegment
  let term: Int64
  private var parts: [Int: [UInt8]] = [:]

  /// Below so many, parts are read one by one.
  private static let fewParts = 4

  init(segment: SearchSegment, term: Int64) {
    self.segment = segment
    self.term = term
  }

  /// - Parameter ordinals: in rising order.
  mutating func load(_ ordinals: [Int32], _ reader: any Reader) throws {
    var needed: [Int] = []
    for ordinal in ordinals {
      let part = Int(ordinal) / SearchPostings.numbersOfPart
      if needed.last != part { needed.append(part) }
    }
    guard let first = needed.first, let last = needed.last else { return }
    let spans = needed.count <= Self.fewParts ? needed.map { $0...$0 } : [first...last]
    for span in spans {
      try reader.query(
        "SELECT part, bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 AND part >= $3 AND part <= $4",
        [.integer(segment.id), .integer(term), .integer(Int64(span.lowerBound)), .integer(Int64(span.upperBound))]
      ) { parts[$0[0]] = $0[1] }
    }
  }

  subscript(ordinal: Int) -> Int64? {
    let part = ordinal / SearchPostings.numbersOfPart
    guard let bytes = parts[part] else { return nil }
    let start = part * SearchPostings.numbersOfPart
    return SearchPostings.number(
      ordinal - start, in: bytes, of: min(SearchPostings.numbersOfPart, segment.documents - start))
  }
}
