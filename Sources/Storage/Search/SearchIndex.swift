public import Base

/// A full-text index: what is put in is found from the same commit on, ranked by BM25 with weights of fields.
///
///     let index = SearchIndex("products", fields: ["title": 3, "text": 1], clock: clock, random: random)
///     try await database.write { writer in
///       …
///       try index.put(SearchDocument(id: product, texts: ["title": title], tags: ["public", "store/7"]), in: writer)
///     }
///     let page = try await database.read { try index.search(SearchQuery("red shoes"), pageSize: 20, in: $0) }
///
/// What is put in is one row at first. Some thousand documents together become a segment, in the transaction of one of
/// them, and segments become larger ones by `step`, which a `Sweeper` calls. docs/adr/0016 has the reasons and figures.
///
/// Safe to share between threads. Needs the tables of `SearchSchema`.
public final class SearchIndex: Sendable {
  public let name: String
  let fields: [String: Double]
  let typicalLength: Double
  let collection: Int64
  let results = SearchResults()
  let known = SearchDocumentCache()
  let lists: SearchListCache
  let dictionary: SearchDictionary
  let shape: Shape
  let clock: any WallClock
  let random: any RandomSource
  /// Keys of words that are in the vocabulary.
  let knownWords = Locked(BoundedCache<Int64, Bool>(capacity: SearchLimits.rememberedWords))
  let merging = Locked<SearchMerge?>(nil)

  /// When segments are made and merged. Tests make small ones.
  struct Shape {
    var sealedDocuments = SearchLimits.sealedDocuments
    var sealedTerms = SearchLimits.sealedTerms
    /// Whether it is time to seal is asked once in so many terms.
    var termsBetweenChecks = SearchLimits.sealedTerms / 8
    var mergedSegments = SearchLimits.mergedSegments
    var segmentDocuments = SearchLimits.segmentDocuments
    var longList = SearchLimits.longList
    var bestPostings = SearchLimits.bestPostings
    var postingsForLookUp = SearchLimits.postingsForLookUp
    /// How many postings a query looks at.
    var postings = SearchLimits.postings
    var hits = SearchLimits.hits
    var rememberedListBytes = SearchLimits.rememberedListBytes
    var rememberedStartBytes = SearchLimits.rememberedStartBytes
    var rememberedRowBytes = SearchLimits.rememberedRowBytes
  }

  /// Impacts are stored in thousandths.
  static let impactScale = 1000.0
  /// What a hit scores is BM25 × boost, times this.
  public static let scoreScale = impactScale * impactScale
  /// The longest prefix that has a list of its own words.
  static let listedPrefix = 4

  /// - Parameters:
  ///   - name: of the collection of documents. All who use it must give the same fields.
  ///   - fields: with the weight of a word in each, from 0 (not indexed) on.
  ///   - typicalLength: words of a usual document, each times its field's weight.
  public convenience init(
    _ name: String, fields: [String: Double], typicalLength: Double = 32, clock: any WallClock,
    random: any RandomSource
  ) {
    self.init(name, fields: fields, typicalLength: typicalLength, clock: clock, random: random, shape: Shape())
  }

  init(
    _ name: String, fields: [String: Double], typicalLength: Double = 32, clock: any WallClock,
    random: any RandomSource, shape: Shape
  ) {
    precondition(typicalLength > 0, "documents have words")
    self.name = name
    self.fields = fields
    self.typicalLength = typicalLength
    collection = StableHash.of(name)
    self.shape = shape
    self.clock = clock
    self.random = random
    lists = SearchListCache(bytes: shape.rememberedListBytes)
    dictionary = SearchDictionary(startBytes: shape.rememberedStartBytes, rowBytes: shape.rememberedRowBytes)
  }
}

// MARK: - Keys

extension SearchIndex {
  /// Terms are stored as a hash. The lowest bit parts tags from words, so that no word that a stranger can choose
  /// passes for a tag.
  func wordKey(_ word: String) -> Int64 { key("w", word) & ~1 }
  /// Of what a personal document's word begins with.
  func startKey(_ start: String) -> Int64 { key("s", start) & ~1 }
  func tagKey(_ tag: String) -> Int64 { key("t", tag) | 1 }
  func prefixKey(_ prefix: String) -> Int64 { key("p", prefix) }
  func remainderKey(_ remainder: String) -> Int64 { key("r", remainder) }
  /// Of the list of a segment's documents.
  var idsKey: Int64 { key("i", "") }
  /// Of the numbers of a segment's documents at a position.
  func numberKey(_ position: Int) -> Int64 { key("n", String(position)) }

  private func key(_ kind: String, _ text: String) -> Int64 {
    var hash = StableHash()
    hash.combine(name.utf8)
    hash.combine([0])
    hash.combine(kind.utf8)
    hash.combine(text.utf8)
    return hash.value
  }

  /// Spreads ids evenly (the finaliser of SplitMix64).
  static func mixed(_ id: Int64) -> UInt64 {
    var z = UInt64(bitPattern: id) &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension Writer {
  /// Inserts rows with few statements, whose texts are few too.
  /// - Parameters:
  ///   - target: the table and its columns.
  ///   - conflict: what becomes of a row whose key is there; by default it stays as it is.
  func insert(_ target: String, _ rows: [[SQLValue]], onConflict conflict: String = "DO NOTHING") throws {
    try forEachBatch(target, rows, conflict) { _ = try send($0, $1, mustChange: false) }
  }

  /// Inserts rows that are not there yet.
  /// - Returns: how many were not.
  func insertNew(_ target: String, _ rows: [[SQLValue]]) throws -> Int {
    var added = 0
    try forEachBatch(target, rows, "DO NOTHING") { added += try execute($0, $1) }
    return added
  }

  /// Inserts rows that are not there yet.
  /// - Returns: the first value of the given column of those that were not.
  func insertNew(_ target: String, _ rows: [[SQLValue]], returning column: String) throws -> [String] {
    var added: [String] = []
    try forEachBatch(target, rows, "DO NOTHING RETURNING \(column)") { added += try self.rows($0, $1) { $0[0] } }
    return added
  }

  private func forEachBatch(
    _ target: String, _ rows: [[SQLValue]], _ conflict: String, _ run: (String, [SQLValue]) throws -> Void
  ) throws {
    guard let width = rows.first?.count else { return }
    var rest = rows[...]
    for size in [128, 16, 4, 1] where rest.count >= size {
      let values = (0..<size).map { placeholders(from: $0 * width + 1, count: width) }
      let sql = "INSERT INTO \(target) VALUES \(values.joined(separator: ", ")) ON CONFLICT \(conflict)"
      while rest.count >= size {
        try run(sql, rest.prefix(size).flatMap { $0 })
        rest = rest.dropFirst(size)
      }
    }
  }
}
