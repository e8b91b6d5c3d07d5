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
/// The score of a document depends on itself and on how frequent the words are, never on another document: the length
/// that BM25 compares with is fixed by `typicalLength`. So the postings of a word can be kept in the order of what they
/// contribute, and a query reads the best ones first and stops. docs/adr/0016 has the figures.
///
/// Safe to share between threads. Needs the tables of `SearchSchema`.
public final class SearchIndex: Sendable {
  public let name: String
  let fields: [String: Double]
  let typicalLength: Double
  let collection: Int64
  let results: SearchResults

  /// One document in so many is sampled.
  static let sampling: UInt64 = 16
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
  public init(
    _ name: String, fields: [String: Double], typicalLength: Double = 32, clock: any WallClock,
    random: any RandomSource
  ) {
    precondition(typicalLength > 0, "documents have words")
    self.name = name
    self.fields = fields
    self.typicalLength = typicalLength
    collection = StableHash.of(name)
    results = SearchResults(clock: clock, random: random)
  }

  /// Adds a document, or replaces the one with its id. Costs a row for each different word and tag, where they changed.
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
    try replacePostings(document.id, old: old?.terms ?? [:], new: terms, isNew: old == nil, writer)
    let known = old?.terms ?? [:]
    try learn(words.filter { known[wordKey($0)] == nil }.sorted(), writer)
    if Self.isSampled(document.id), Self.mixed(document.id) >> 4 & 3 == 0 { try weigh(words.sorted(), writer) }
  }

  /// Takes a document out. Does nothing if it is not there.
  public func remove(_ id: Int64, in writer: any Writer) throws {
    guard let old = try entryForUpdate(id, writer) else { return }
    try writer.execute(
      "DELETE FROM octet_search_documents WHERE collection = $1 AND document = $2", collection, id)
    try replacePostings(id, old: old.terms, new: [:], isNew: false, writer)
    if Self.isSampled(id) { try removeSample(id, allKey, writer) }
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

  private func replacePostings(
    _ id: Int64, old: [Int64: UInt16], new: [Int64: UInt16], isNew: Bool, _ writer: any Writer
  ) throws {
    // In the order of the keys, so that writers side by side wait for each other in one direction.
    let removed = old.filter { new[$0.key] != $0.value }.sorted { $0.key < $1.key }
    let added = new.filter { old[$0.key] != $0.value }.sorted { $0.key < $1.key }
    for (key, impact) in removed {
      try writer.execute(
        "DELETE FROM octet_search_postings WHERE term = $1 AND rank = $2 AND document = $3", key, -Int(impact), id)
    }
    try writer.insert(
      "octet_search_postings (term, rank, document)", added.map { [.integer($0), .integer(-Int64($1)), .integer(id)] })
    guard Self.isSampled(id) else { return }
    for (key, _) in removed where new[key] == nil { try removeSample(id, key, writer) }
    let sampled = (isNew ? [allKey] : []) + added.map(\.key).filter { old[$0] == nil }
    try writer.insert(
      "octet_search_samples (term, hash, document)",
      sampled.map { [.integer($0), .integer(Self.sampleHash(id)), .integer(id)] })
  }

  private func removeSample(_ id: Int64, _ key: Int64, _ writer: any Writer) throws {
    try writer.execute(
      "DELETE FROM octet_search_samples WHERE term = $1 AND hash = $2 AND document = $3", key, Self.sampleHash(id), id)
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
  /// Of the sample of all documents.
  var allKey: Int64 { key("a", "") }

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

  static func isSampled(_ id: Int64) -> Bool { mixed(id) % sampling == 0 }

  /// Even over 0 to 2⁶³ − 1.
  static func sampleHash(_ id: Int64) -> Int64 { Int64(mixed(id) >> 1) }
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
