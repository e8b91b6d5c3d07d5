internal import Base

extension SearchIndex {
  /// Adds a document, or replaces the one with its id. Costs two rows; one in a thousand calls makes a segment of the
  /// documents since the last time, which takes some 30 ms.
  public func put(_ document: SearchDocument, in writer: any Writer) throws {
    try put([document], in: writer)
  }

  /// Adds documents, or replaces those with their ids; of two with one id the last one counts. A thousand or more
  /// become a segment at once, which is the cheapest way to index many: put them in by a few thousand.
  public func put(_ documents: [SearchDocument], in writer: any Writer) throws {
    var latest: [Int64: SearchDocument] = [:]
    for document in documents { latest[document.id] = document }
    var words: [String: Int64] = [:]
    var weighed: [Int64: [String]] = [:]
    var changes: [(id: Int64, entry: SearchEntry)] = []
    for (id, document) in latest.sorted(by: { $0.key < $1.key }) {
      let content = content(of: document)
      words.merge(content.words) { known, _ in known }
      if Self.mixed(id) % (1 << Self.weighing) == 0 { weighed[id] = content.words.keys.sorted() }
      changes.append((id, content.entry))
    }
    let old = try entriesForUpdate(changes.map(\.id), writer)
    changes.removeAll { old[$0.id] == $0.entry.bytes }
    if changes.isEmpty { return }
    try write(changes, replacing: old, writer)
    let replaced = changes.map(\.id).filter { old[$0] != nil }
    let terms = changes.reduce(0) { $0 + $1.entry.count }
    if isDue(documents: changes.count, terms: terms) {
      // Waits for whoever is just sealing them; the segment is seen by what follows.
      try removeFresh(replaced, writer)
      for id in replaced { try kill(id, writer) }
      try makeSegment(changes.map(\.id), changes.map(\.entry), writer)
    } else {
      let rows: [[SQLValue]] = changes.map { id, entry in
        [.integer(collection), .integer(id), .integer(Int64(entry.count)), .blob(entry.bytes)]
      }
      try writer.insert(
        "octet_search_fresh (collection, document, terms, entry)", rows,
        onConflict: "(collection, document) DO UPDATE SET terms = excluded.terms, entry = excluded.entry")
      for id in replaced { try kill(id, writer) }
      try sealIfDue(adding: terms, writer)
    }
    // Last, as others wait for whoever is adding the same words.
    try learn(words, writer)
    for (id, words) in weighed.sorted(by: { $0.key < $1.key }) where old[id] == nil { try weigh(words, writer) }
  }

  /// Takes a document out. Does nothing if it is not there.
  public func remove(_ id: Int64, in writer: any Writer) throws {
    guard try entriesForUpdate([id], writer)[id] != nil else { return }
    try keepPast(of: id, until: clock.now(), writer)
    try writer.send(
      "DELETE FROM octet_search_documents WHERE collection = $1 AND document = $2", collection, id)
    try removeFresh([id], writer)
    try kill(id, writer)
  }

  private func write(
    _ changes: [(id: Int64, entry: SearchEntry)], replacing old: [Int64: [UInt8]], _ writer: any Writer
  ) throws {
    let now = clock.now()
    let new = changes.filter { old[$0.id] == nil }
    let added = try writer.insertNew(
      "octet_search_documents (collection, document, entry, changed_at)",
      new.map { [.integer(collection), .integer($0.id), .blob($0.entry.bytes), now.sqlValue] })
    // Somebody else has just added one; the next run sees it.
    if added < new.count { throw RetryTransaction() }
    for (id, entry) in changes where old[id] != nil {
      try keepPast(of: id, until: now, writer)
      try writer.send(
        "UPDATE octet_search_documents SET entry = $3, changed_at = $4 WHERE collection = $1 AND document = $2",
        collection, id, entry.bytes, now)
    }
  }

  /// What is stored of documents, which nobody else changes until the commit.
  /// - Parameter ids: rising, so that writers side by side wait for each other in one direction.
  private func entriesForUpdate(_ ids: [Int64], _ writer: any Writer) throws -> [Int64: [UInt8]] {
    var entries: [Int64: [UInt8]] = [:]
    for (some, list) in Self.lists(ids) {
      try writer.query(
        """
        SELECT document, entry FROM octet_search_documents WHERE collection = $1 AND document IN \(list)
        ORDER BY document\(writer.dialect.forUpdate)
        """, [.integer(collection)] + some
      ) { entries[$0[0]] = $0[1] }
    }
    return entries
  }

  func removeFresh(_ ids: [Int64], _ writer: any Writer) throws {
    for (some, list) in Self.lists(ids) {
      _ = try writer.send(
        "DELETE FROM octet_search_fresh WHERE collection = $1 AND document IN \(list)", [.integer(collection)] + some,
        mustChange: false)
    }
  }

  /// Ids as arguments from the second on, with the list of their placeholders: there are two texts for all.
  static func lists(_ ids: [Int64]) -> [(arguments: [SQLValue], list: String)] {
    ids.map(SQLValue.integer).filledPieces(of: ids.count == 1 ? 1 : idsAtOnce).map {
      ($0, $0.count == 1 ? "($2)" : manyIDs)
    }
  }

  static let idsAtOnce = 64
  private static let manyIDs = placeholders(from: 2, count: idsAtOnce)

  /// Whether the index holds exactly this of the document. For audits.
  public func holds(_ document: SearchDocument, in reader: any Reader) throws -> Bool {
    try entry(of: document.id, reader) == content(of: document).entry.bytes
  }

  /// Whether the index holds a document.
  public func holds(_ id: Int64, in reader: any Reader) throws -> Bool { try entry(of: id, reader) != nil }

  /// The documents that the index holds, by rising id. For audits.
  public func documents(after id: Int64, limit: Int, in reader: any Reader) throws -> [Int64] {
    try reader.rows(
      """
      SELECT document FROM octet_search_documents WHERE collection = $1 AND document > $2 ORDER BY document LIMIT $3
      """, collection, id, limit
    ) { $0[0] }
  }

  private func entry(of id: Int64, _ reader: any Reader) throws -> [UInt8]? {
    try reader.first(
      "SELECT entry FROM octet_search_documents WHERE collection = $1 AND document = $2", collection, id
    ) { $0[0] }
  }

  // MARK: - Content

  /// BM25's saturation of repeated words, and how much length counts; the customary values.
  private static let (saturation, lengthShare) = (1.2, 0.75)

  /// The words of a document that may be suggested, with their keys, and what is stored of it.
  private func content(of document: SearchDocument) -> (words: [String: Int64], entry: SearchEntry) {
    precondition(document.tags.count <= SearchLimits.documentTags, "\(SearchLimits.documentTags) tags at most")
    precondition(document.numbers.count <= SearchLimits.documentNumbers, "too many numbers")
    var frequencies: [String: (frequency: Double, isFragment: Bool)] = [:]
    var length = 0.0
    var left = SearchLimits.documentWords
    for (field, text) in document.texts.sorted(by: { $0.key < $1.key }) {
      guard let weight = fields[field] else { preconditionFailure("\(name) has no field \(field)") }
      if weight <= 0 { continue }
      let found = SearchText.words(text, for: .index, limit: left)
      left -= found.count
      for word in found { frequencies[word.text, default: (0, word.isFragment)].frequency += weight }
      length += Double(found.count) * weight
    }
    let boost = min(max(document.boost, 1.0 / 16), 16)
    let norm = Self.saturation * (1 - Self.lengthShare + Self.lengthShare * length / typicalLength)
    var terms: [Int64: UInt16] = [:]
    terms.reserveCapacity(frequencies.count + document.tags.count)
    var words: [String: Int64] = [:]
    for (word, (frequency, isFragment)) in frequencies {
      let key = wordKey(word)
      let impact = Self.impact(boost * frequency * (Self.saturation + 1) / (frequency + norm))
      terms[key] = impact
      if isFragment { continue }
      if document.isPersonal {
        for start in Self.starts(of: word) { terms[startKey(start)] = max(terms[startKey(start)] ?? 0, impact) }
      } else {
        words[word] = key
      }
    }
    for tag in document.tags { terms[tagKey(tag)] = Self.impact(boost) }
    return (words, SearchEntry(terms: terms, numbers: document.numbers))
  }

  /// Beginnings of a word by which it is completed without being in the vocabulary.
  private static func starts(of word: String) -> [String] {
    (1..<max(1, min(word.count, SearchLimits.personalStart + 1))).map { String(word.prefix($0)) }
  }

  private static func impact(_ value: Double) -> UInt16 {
    UInt16(min(max((value * impactScale).rounded(), 1), Double(UInt16.max)))
  }
}
