internal import Base

/// A word that may have been meant.
public struct SearchSuggestion: Sendable, Equatable {
  /// Folded: without accents and case.
  public let word: String
  /// How many changes lie between what was typed and this word, or its beginning.
  public let changes: Int
  /// The logarithm to base 2 of how many documents have it, as far as is known.
  public let magnitude: Int
}

extension SearchIndex {
  /// Words that begin with the last word of a text, and words that it may be a misspelling of: the word itself first,
  /// then by changes, then by frequency. Only words of documents with all `tags` (of which 32 are looked at), so that
  /// nothing hidden shows. Of words that came in by hundreds at once only those show that `step` has gone over. Two
  /// wrong letters among the first seven are seen through only if the word is that of dozens of documents.
  /// - Throws: `SearchError`, `StorageError`.
  public func suggest(
    _ text: String, tags: [String] = [], limit: Int = 8, in reader: any Reader
  ) throws -> [SearchSuggestion] {
    guard text.utf8.count <= SearchLimits.queryBytes else { throw SearchError.queryTooLong }
    guard tags.count <= SearchLimits.filters else { throw SearchError.tooManyFilters }
    guard limit > 0, limit <= SearchLimits.suggestions else { throw SearchError.badPageSize }
    let words = SearchText.words(text, for: .query, limit: SearchLimits.queryWords + 1)
    guard words.count <= SearchLimits.queryWords else { throw SearchError.tooManyWords }
    guard let last = words.last else { throw SearchError.nothingToSearch }
    if last.isFragment { return [] }
    var found: [SearchSuggestion] = []
    for (word, magnitude) in try completions(last.text, reader).words {
      found.append(SearchSuggestion(word: word, changes: 0, magnitude: magnitude))
    }
    found += try corrections(last.text, reader)
    found.sort {
      (($0.word == last.text ? 0 : 1), $0.changes, -$0.magnitude, $0.word)
        < (($1.word == last.text ? 0 : 1), $1.changes, -$1.magnitude, $1.word)
    }
    let source = try SearchSource(self, reader)
    // Mostly those that are shown are among them.
    try source.open(found.prefix(limit).map { wordKey($0.word) }, reader)
    var shown: [SearchSuggestion] = []
    for suggestion in found where !shown.contains(where: { $0.word == suggestion.word }) {
      if shown.count == limit { break }
      if try isVisible(suggestion.word, tags.map(tagKey), source, reader) { shown.append(suggestion) }
    }
    return shown
  }

  /// Documents that are asked whether a word may be suggested.
  private static let visibilityProbes = 32

  private func isVisible(
    _ word: String, _ tags: [Int64], _ source: SearchSource, _ reader: any Reader
  ) throws -> Bool {
    let key = wordKey(word)
    try source.open([key], reader)
    for (impact, (_, entry)) in zip(source.freshImpacts([key]), source.fresh) where impact > 0 {
      if SearchScan.matches(entry, tags: tags, ranges: [:]) { return true }
    }
    var left = Self.visibilityProbes
    for segment in source.segments where source.total(key, segment.id) > 0 {
      var living: [Int] = []
      let head = try source.parts(key, segment.id, for: [0], reader)
      SearchPostings.forEach(head, documents: segment.documents) { ordinal, _ in
        if living.count < left, !segment.isDead(ordinal) { living.append(ordinal) }
      }
      let ids = try documents(of: segment, reader)
      for ordinal in living {
        let entry = try reader.first(
          "SELECT entry FROM octet_search_documents WHERE collection = $1 AND document = $2", collection, ids[ordinal]
        ) { SearchEntry($0[0]) }
        if let entry, SearchScan.matches(entry, tags: tags, ranges: [:]) { return true }
      }
      left -= living.count
      if left == 0 { break }
    }
    return false
  }

  /// The most frequent words that begin with `prefix`, itself included if it is one.
  /// - Returns: also whether there may be more.
  func completions(
    _ prefix: String, _ reader: any Reader
  ) throws -> (words: [(word: String, magnitude: Int)], areAll: Bool) {
    var words: [(word: String, magnitude: Int)]
    let scanned: Int
    if prefix.count <= Self.listedPrefix {
      scanned = SearchLimits.completions + 1
      words = try reader.rows(
        "SELECT word, rank FROM octet_search_prefixes WHERE prefix = $1 ORDER BY rank, word LIMIT $2",
        prefixKey(prefix), scanned
      ) { ($0[0], -($0[1] as Int)) }
    } else {
      scanned = SearchLimits.prefixScan
      words = try reader.rows(
        """
        SELECT word, magnitude FROM octet_search_words WHERE collection = $1 AND word >= $2 AND word < $3
        ORDER BY word LIMIT $4
        """, collection, prefix, prefix + "\u{10ffff}", scanned
      ) { ($0[0], $0[1]) }
      words.sort { ($1.magnitude, $0.word) < ($0.magnitude, $1.word) }
    }
    let areAll = words.count < scanned && words.count <= SearchLimits.completions
    words = Array(words.prefix(SearchLimits.completions))
    if !words.contains(where: { $0.word == prefix }), let magnitude = try magnitude(of: prefix, reader) {
      words.append((prefix, magnitude))
    }
    return (words, areAll)
  }

  private func magnitude(of word: String, _ reader: any Reader) throws -> Int? {
    try reader.first(
      "SELECT magnitude FROM octet_search_words WHERE collection = $1 AND word = $2", collection, word
    ) { $0[0] }
  }

  /// Adds words that were never seen. Few are spread at once; of many that is left to `step`, as it takes long and others
  /// who are adding the same words wait for it.
  /// - Parameter words: with their keys.
  func learn(_ words: [String: Int64], _ writer: any Writer) throws {
    let unknown = knownWords.withLock { known in words.filter { known[$0.value] == nil } }
    if unknown.isEmpty { return }
    // In one order, so that writers side by side wait for each other in one direction.
    let added = try writer.insertNew(
      "octet_search_words (collection, word, magnitude)",
      unknown.keys.sorted().map { [.integer(collection), .text($0), .integer(0)] }, returning: "word")
    if added.count <= SearchLimits.wordsAtOnce {
      try spread(added.map { ($0, 0) }, writer)
    } else {
      try writer.insert(
        "octet_search_new_words (collection, word)", added.sorted().map { [.integer(collection), .text($0)] })
    }
    writer.afterCommit { [knownWords] in
      knownWords.withLock { known in for key in unknown.values { known[key] = true } }
    }
  }

  /// Makes words be found by their prefixes and by what a typing error leaves of them.
  private func spread(_ words: [(word: String, magnitude: Int)], _ writer: any Writer) throws {
    var starts: [(Int64, Int, String)] = []
    for (word, magnitude) in words { starts += prefixes(of: word).map { ($0, -magnitude, word) } }
    try writer.insert(
      "octet_search_prefixes (prefix, rank, word)",
      starts.sorted { $0 < $1 }.map { [.integer($0), .integer(Int64($1)), .text($2)] })
    // A typed word may be longer or shorter by what it is allowed, so that its neighbours get as much.
    try spread(words.map(\.word).filter { $0.count >= 4 }, edits: 1, writer)
    try spread(words.filter { $0.magnitude > 0 && $0.word.count >= 7 }.map(\.word), edits: 2, writer)
  }

  private func spread(_ words: [String], edits: Int, _ writer: any Writer) throws {
    let errors = words.flatMap { word in
      SearchText.remainders(word, edits: edits).map { (remainderKey($0), word) }
    }
    try writer.insert(
      "octet_search_typos (remainder, word)", errors.sorted { $0 < $1 }.map { [.integer($0), .text($1)] })
  }

  /// Spreads some of the words that came in with many others.
  /// - Returns: whether there were any.
  func spreadNewWords(_ database: any Database) async throws -> Bool {
    let find = "SELECT word FROM octet_search_new_words WHERE collection = $1 LIMIT 1"
    guard try await database.read({ [collection] in try $0.exists(find, collection) }) else { return false }
    return try await database.write { [self] writer in
      let waiting: [SQLValue] = try writer.rows(
        """
        SELECT word FROM octet_search_new_words WHERE collection = $1 ORDER BY word LIMIT $2\
        \(writer.dialect.forUpdateSkippingLocked)
        """, collection, SearchLimits.wordsAtOnce
      ) { .text($0[0]) }
      // Nobody changes their magnitudes meanwhile: words that somebody is weighing are left for the next time.
      var words: [(word: String, magnitude: Int)] = []
      for some in waiting.filledPieces(of: Self.weighedAtOnce) {
        try writer.query(Self.magnitudesSQL + writer.dialect.forUpdateSkippingLocked, [.integer(collection)] + some) {
          words.append(($0[0], $0[1]))
        }
      }
      try spread(words, writer)
      for (word, _) in words {
        try writer.send(
          "DELETE FROM octet_search_new_words WHERE collection = $1 AND word = $2", collection, word)
      }
      return !words.isEmpty
    }
  }

  /// The logarithm of how many documents there are for one with which the frequencies of words are noted.
  static let weighing = 6

  /// Notes that words are in one more of the documents that are asked. Their number is kept as its logarithm, which the
  /// k-th step raises with a probability of 2⁻ᵏ (R. Morris, "Counting large numbers of events in small registers",
  /// 1978): each word is noted some twenty times in its life, so that writers side by side seldom change the same row.
  func weigh(_ words: [String], _ writer: any Writer) throws {
    var raised: [Int: [String]] = [:]
    for some in words.map(SQLValue.text).filledPieces(of: Self.weighedAtOnce) {
      try writer.query(Self.magnitudesSQL, [.integer(collection)] + some) { row in
        let before: Int = row[1]
        let steps = before == 0 ? 0 : before - Self.weighing + 1
        if steps < 48, random.next() & ((1 << UInt64(steps)) - 1) == 0 { raised[before, default: []].append(row[0]) }
      }
    }
    for (before, words) in raised.sorted(by: { $0.key < $1.key }) {
      let now = before == 0 ? Self.weighing : before + 1
      let words = words.sorted()
      // If another one has raised a word meanwhile, neither it nor its prefixes are as they were.
      for some in words.map(SQLValue.text).filledPieces(of: Self.weighedAtOnce) {
        _ = try writer.send(
          Self.raiseWordsSQL, [.integer(collection), .integer(Int64(before)), .integer(Int64(now))] + some,
          mustChange: false)
      }
      for word in words {
        for start in prefixes(of: word) { try writer.send(Self.raisePrefixSQL, start, -before, word, -now) }
      }
      // Most words of a vocabulary are hardly ever used. Two errors in their beginnings would cost twenty rows each.
      if before == 0 { try spread(words.filter { $0.count >= 7 }, edits: 2, writer) }
    }
  }

  static let weighedAtOnce = 16
  static let magnitudesSQL = """
    SELECT word, magnitude FROM octet_search_words WHERE collection = $1
    AND word IN \(placeholders(from: 2, count: weighedAtOnce)) ORDER BY word
    """
  private static let raiseWordsSQL = """
    UPDATE octet_search_words SET magnitude = $3 WHERE collection = $1 AND magnitude = $2
    AND word IN \(placeholders(from: 4, count: weighedAtOnce))
    """
  /// One row each: of several that are listed with OR, PostgreSQL takes the rank, which is the same in all, for what
  /// leads to few rows, until it has statistics, and goes through all words that were never weighed.
  private static let raisePrefixSQL =
    "UPDATE octet_search_prefixes SET rank = $4 WHERE prefix = $1 AND rank = $2 AND word = $3"

  func prefixes(of word: String) -> [Int64] {
    (1...max(1, min(word.count, Self.listedPrefix))).map { prefixKey(String(word.prefix($0))) }
  }
}
