internal import Base

/// A set of documents with their postings, made at once and never changed but for which of its documents are dead.
struct SearchSegment: Sendable {
  enum State {
    static let building = 0
    static let live = 1
    static let retired = 2
  }

  let id: Int64
  let documents: Int
  /// The least and the greatest of its documents' ids.
  let lowest: Int64
  let highest: Int64
  /// By chunks of documents; a chunk without dead ones is missing.
  var dead: [Int: [UInt8]] = [:]

  /// Documents of a chunk of bits.
  static let chunk = 1024

  /// Segments of one statement: of a million documents all that there are, mostly. They are named, since those that were
  /// replaced a moment ago are many times as many.
  static let atOnce = 64

  fileprivate static let deadSQL = """
    SELECT segment, chunk, bits FROM octet_search_dead WHERE segment IN \(placeholders(from: 1, count: atOnce))
    """

  func isDead(_ ordinal: Int) -> Bool {
    guard let bits = dead[ordinal / Self.chunk] else { return false }
    let bit = ordinal % Self.chunk
    return bits[bit / 8] & 1 << UInt8(bit % 8) != 0
  }

  /// The bits of a chunk with one more set; nil if it was.
  static func marking(_ ordinal: Int, in bits: [UInt8]?) -> [UInt8]? {
    var bits = bits ?? [UInt8](repeating: 0, count: chunk / 8)
    let bit = ordinal % chunk
    if bits[bit / 8] & 1 << UInt8(bit % 8) != 0 { return nil }
    bits[bit / 8] |= 1 << UInt8(bit % 8)
    return bits
  }

  var deadCount: Int { dead.values.reduce(0) { $0 + $1.reduce(0) { $0 + $1.nonzeroBitCount } } }
}

/// The ids of segments' documents as a node remembers them: segments do not change. Safe to share.
final class SearchDocumentCache: Sendable {
  private let known = Locked((ids: [Int64: [Int64]](), total: 0))

  subscript(segment: Int64) -> [Int64]? { known.withLock { $0.ids[segment] } }

  func keep(_ ids: [Int64], of segment: Int64) {
    known.withLock { known in
      if known.total + ids.count > SearchLimits.rememberedDocuments { known = ([:], 0) }
      if known.ids.updateValue(ids, forKey: segment) == nil { known.total += ids.count }
    }
  }
}

extension SearchIndex {
  /// How many segments there are that merging makes fewer. Of larger ones sixteen may be too many documents for one
  /// segment, so that they stay.
  public func smallSegmentCount(in reader: any Reader) throws -> Int {
    try reader.first(
      "SELECT COUNT(*) FROM octet_search_segments WHERE collection = $1 AND state = 1 AND documents < $2", collection,
      shape.segmentDocuments / shape.mergedSegments
    ) { $0[0] } ?? 0
  }

  /// The segments that are searched, the newest first.
  func segments(_ reader: any Reader) throws -> [SearchSegment] {
    var segments: [SearchSegment] = try reader.rows(
      """
      SELECT segment, documents, lowest, highest FROM octet_search_segments WHERE collection = $1 AND state = 1
      ORDER BY segment DESC
      """, collection
    ) { SearchSegment(id: $0[0], documents: $0[1], lowest: $0[2], highest: $0[3]) }
    if segments.isEmpty { return [] }
    let places = Dictionary(uniqueKeysWithValues: segments.enumerated().map { ($1.id, $0) })
    for some in segments.map({ SQLValue.integer($0.id) }).filledPieces(of: SearchSegment.atOnce) {
      try reader.query(SearchSegment.deadSQL, some) { row in
        if let place = places[row[0]] { segments[place].dead[row[1]] = row[2] }
      }
    }
    return segments
  }

  /// The ids of a segment's documents, in rising order; a document's place is its ordinal.
  func documents(of segment: SearchSegment, _ reader: any Reader) throws -> [Int64] {
    if let known = known[segment.id] { return known }
    var ids: [Int64] = []
    ids.reserveCapacity(segment.documents)
    try reader.query(
      "SELECT bytes FROM octet_search_blocks WHERE segment = $1 AND term = $2 ORDER BY part",
      [.integer(segment.id), .integer(idsKey)]
    ) { SearchPostings.appendIDs(of: $0[0], to: &ids) }
    known.keep(ids, of: segment.id)
    return ids
  }

  /// Marks the copy of a document that is in a segment as dead, if there is one.
  func kill(_ document: Int64, _ writer: any Writer) throws {
    let around: [SearchSegment] = try writer.rows(
      """
      SELECT segment, documents, lowest, highest FROM octet_search_segments
      WHERE collection = $1 AND state = 1 AND lowest <= $2 AND highest >= $2
      """, collection, document
    ) { SearchSegment(id: $0[0], documents: $0[1], lowest: $0[2], highest: $0[3]) }
    for segment in around {
      guard let ordinal = Self.place(of: document, in: try documents(of: segment, writer)) else { continue }
      // Held until the commit, so that a merge sees the mark or has been seen.
      let state: Int? = try writer.first(
        "SELECT state FROM octet_search_segments WHERE segment = $1\(writer.dialect.forShare)", segment.id
      ) { $0[0] }
      guard state == SearchSegment.State.live else { throw RetryTransaction() }
      let chunk = ordinal / SearchSegment.chunk
      let bits: [UInt8]? = try writer.firstForUpdate(
        "SELECT bits FROM octet_search_dead WHERE segment = $1 AND chunk = $2", segment.id, chunk
      ) { $0[0] }
      guard let marked = SearchSegment.marking(ordinal, in: bits) else { continue }
      let sql =
        bits == nil
        ? "INSERT INTO octet_search_dead (segment, chunk, bits) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        : "UPDATE octet_search_dead SET bits = $3 WHERE segment = $1 AND chunk = $2"
      if try writer.execute(sql, segment.id, chunk, marked) == 0 { throw RetryTransaction() }
      // There is one living copy at most.
      return
    }
  }

  static func place(of id: Int64, in ids: [Int64]) -> Int? {
    var (low, high) = (0, ids.count)
    while low < high {
      let middle = (low + high) / 2
      if ids[middle] == id { return middle }
      if ids[middle] < id { low = middle + 1 } else { high = middle }
    }
    return nil
  }
}
