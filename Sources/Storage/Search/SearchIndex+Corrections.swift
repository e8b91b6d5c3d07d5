extension SearchIndex {
  /// What a word was probably meant to be, if it is misspelt.
  func nearest(_ typed: String, _ reader: any Reader) throws -> [String] {
    try corrections(typed, reader).sorted { ($0.changes, $1.magnitude, $0.word) < ($1.changes, $0.magnitude, $1.word) }
      .prefix(SearchLimits.corrections).map(\.word)
  }

  /// All known words that are near to one, as far as so many are looked at.
  ///
  /// Words with the same first seven characters have all their remainders in common, and there may be hundreds of them.
  /// So those that begin as the typed one does are looked for by one remainder, and those whose beginning is another by all
  /// others, where the former do not stand in the way. Of very many the nearest in the alphabet are looked at.
  func corrections(_ typed: String, _ reader: any Reader) throws -> [SearchSuggestion] {
    let allowed = SearchText.typosAllowed(typed)
    if allowed == 0 { return [] }
    // A database counts scalars. Where a character may be several, the length of a word tells nothing.
    let isPlain = typed.count == typed.unicodeScalars.count
    let lengths = isPlain ? typed.count - allowed...typed.count + allowed : 0...Int.max
    var near: [String: Int] = [:]
    var compared: Set<String> = []
    func compare(_ remainders: [SQLValue], before low: String, from high: String, _ sql: String) throws {
      let bounds: [SQLValue] = [
        .text(low), .text(high), .integer(Int64(lengths.lowerBound)), .integer(Int64(lengths.upperBound)),
      ]
      try reader.query(sql, bounds + remainders) { row in
        let word: String = row[0]
        guard word != typed, compared.count < SearchLimits.typoComparisons, compared.insert(word).inserted else {
          return
        }
        let changes = SearchText.distance(typed, word)
        if changes <= allowed { near[word] = changes }
      }
    }
    let beginning = SearchText.beginning(of: typed)
    try compare([.integer(remainderKey(beginning))], before: typed, from: typed, Self.sameBeginningSQL)
    // Fewer errors first.
    let remainders = SearchText.remainders(typed, edits: allowed).subtracting([beginning])
      .sorted { ($1.count, $0) < ($0.count, $1) }.map { SQLValue.integer(remainderKey($0)) }
    for some in remainders.filledPieces(of: Self.remaindersAtOnce)
    where compared.count < SearchLimits.typoComparisons {
      try compare(some, before: beginning, from: beginning + "\u{10ffff}", Self.otherBeginningsSQL)
    }
    var magnitudes: [String: Int] = [:]
    for some in near.keys.map(SQLValue.text).filledPieces(of: Self.weighedAtOnce) {
      try reader.query(Self.magnitudesSQL, [.integer(collection)] + some) { magnitudes[$0[0]] = $0[1] }
    }
    return near.map { SearchSuggestion(word: $0.key, changes: $0.value, magnitude: magnitudes[$0.key] ?? 0) }
  }

  /// Of a beginning of seven characters there are so many remainders with one error, beside itself, and four times as many
  /// with one or two.
  private static let remaindersAtOnce = 7
  private static let sameBeginningSQL = typosSQL(remainders: 1)
  private static let otherBeginningsSQL = typosSQL(remainders: remaindersAtOnce)

  /// Words by remainders (from $5 on), before $1 and from $2 on in the alphabet, of $3 to $4 characters.
  private static func typosSQL(remainders: Int) -> String {
    (5..<5 + remainders).flatMap { remainder in
      ["word < $1 ORDER BY word DESC", "word >= $2 ORDER BY word"].enumerated().map { side, words in
        """
        SELECT word FROM (SELECT word FROM octet_search_typos WHERE remainder = $\(remainder) AND \(words)
        LIMIT \(SearchLimits.typoScan)) w\(remainder)_\(side) WHERE length(word) BETWEEN $3 AND $4
        """
      }
    }.joined(separator: " UNION ALL ")
  }
}
