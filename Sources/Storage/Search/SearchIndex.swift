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
  let results: SearchResults
  let known = SearchDocumentCache()
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
    /// How many postings a query looks at.
    var postings = SearchLimits.postings
  }

  /// The logarithm of how many documents there are for one with which the frequencies of words are noted.
  static let weighing = 6
  /// BM25's saturation of repeated words, and how much length counts; the customary values.
  private static let (saturation, lengthShare) = (1.2, 0.75)
  /// Impacts are stored in thousandths.
  static let impactScale = 1000.0
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
    results = SearchResults(clock: clock, random: random)
  }

  /// Adds a document, or replaces the one with its id. Costs two rows; one in a thousand calls seals the documents since
  /// the last time, which takes some 30 ms.
  public func put(_ document: SearchDocument, in writer: any Writer) throws {
    precondition(document.tags.count <= SearchLimits.documentTags, "\(SearchLimits.documentTags) tags at most")
    precondition(document.numbers.count <= SearchLimits.documentNumbers, "too many numbers")
    let (words, terms) = terms(of: document)
    let entry = SearchEntry(terms: terms, numbers: document.numbers)
    let old = try entryForUpdate(document.id, writer)
    if let old {
      if old.bytes == entry.bytes { return }
      try writer.execute(
        "UPDATE octet_search_documents SET entry = $3 WHERE collection = $1 AND document = $2",
        collection, document.id, entry.bytes)
    } else {
      let added = try writer.execute(
        "INSERT INTO octet_search_documents (collection, document, entry) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        collection, document.id, entry.bytes)
      // Somebody else has just added it; the next run sees it.
      if added == 0 { throw RetryTransaction() }
    }
    // Waits for whoever is just sealing the row; its segment is seen by what follows.
    try writer.execute(
      """
      INSERT INTO octet_search_fresh (collection, document, terms, entry) VALUES ($1, $2, $3, $4)
      ON CONFLICT (collection, document) DO UPDATE SET terms = $3, entry = $4
      """, collection, document.id, entry.count, entry.bytes)
    if old != nil { try kill(document.id, writer) }
    try learn(words, writer)
    if old == nil, Self.mixed(document.id) % (1 << Self.weighing) == 0 { try weigh(words.sorted(), writer) }
    try sealIfDue(adding: entry.count, writer)
  }

  /// Takes a document out. Does nothing if it is not there.
  public func remove(_ id: Int64, in writer: any Writer) throws {
    guard try entryForUpdate(id, writer) != nil else { return }
    try writer.execute(
      "DELETE FROM octet_search_documents WHERE collection = $1 AND document = $2", collection, id)
    try writer.execute("DELETE FROM octet_search_fresh WHERE collection = $1 AND document = $2", collection, id)
    try kill(id, writer)
  }

  private func entryForUpdate(_ id: Int64, _ writer: any Writer) throws -> SearchEntry? {
    try writer.firstForUpdate(
      "SELECT entry FROM octet_search_documents WHERE collection = $1 AND document = $2", collection, id
    ) { SearchEntry($0[0]) }
  }

  /// The words that may be suggested, and the impact of all terms.
  private func terms(of document: SearchDocument) -> (words: Set<String>, terms: [Int64: UInt16]) {
    var frequencies: [String: Double] = [:]
    var words: Set<String> = []
    var length = 0.0
    var left = SearchLimits.documentWords
    for (field, text) in document.texts.sorted(by: { $0.key < $1.key }) {
      guard let weight = fields[field] else { preconditionFailure("\(name) has no field \(field)") }
      if weight <= 0 { continue }
      let found = SearchText.words(text, for: .index, limit: left)
      left -= found.count
      for word in found {
        frequencies[word.text, default: 0] += weight
        if !word.isFragment { words.insert(word.text) }
      }
      length += Double(found.count) * weight
    }
    let boost = min(max(document.boost, 1.0 / 16), 16)
    let norm = Self.saturation * (1 - Self.lengthShare + Self.lengthShare * length / typicalLength)
    var terms: [Int64: UInt16] = [:]
    for (word, frequency) in frequencies {
      terms[wordKey(word)] = Self.impact(boost * frequency * (Self.saturation + 1) / (frequency + norm))
    }
    for tag in document.tags { terms[tagKey(tag)] = Self.impact(boost) }
    return (words, terms)
  }

  private static func impact(_ value: Double) -> UInt16 {
    UInt16(min(max((value * impactScale).rounded(), 1), Double(UInt16.max)))
  }
}

// MARK: - Keys

extension SearchIndex {
  /// Terms are stored as a hash. The lowest bit parts tags from words, so that no word that a stranger can choose
  /// passes for a tag.
  func wordKey(_ word: String) -> Int64 { key("w", word) & ~1 }
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
  /// - Parameter target: the table and its columns.
  func insert(_ target: String, _ rows: [[SQLValue]]) throws {
    var rest = rows[...]
    for size in [32, 8, 1] {
      while rest.count >= size, let width = rest.first?.count {
        let values = (0..<size).map { row in
          "(" + (1...width).map { "$\(row * width + $0)" }.joined(separator: ", ") + ")"
        }
        try execute(
          "INSERT INTO \(target) VALUES \(values.joined(separator: ", ")) ON CONFLICT DO NOTHING",
          rest.prefix(size).flatMap { $0 })
        rest = rest.dropFirst(size)
      }
    }
  }
}
