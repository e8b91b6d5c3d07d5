internal import Base

extension SearchIndex {
  /// Removes some of what the tables hold of the index, in a transaction of a few milliseconds. Nobody may put anything
  /// in any more.
  /// - Returns: whether there may be more.
  public func dropSome(_ database: any Database) async throws -> Bool {
    let retire = "UPDATE octet_search_segments SET state = 2, changed_at = 0 WHERE collection = $1 AND state <> 2"
    let count = Self.rowsAtOnce
    let hasRows = try await database.write { [self] writer -> Bool in
      try writer.send(retire, collection)
      for table in ["documents", "fresh"] {
        let dropped = try writer.execute(
          """
          DELETE FROM octet_search_\(table) WHERE collection = $1 AND document IN
          (SELECT document FROM octet_search_\(table) WHERE collection = $1 ORDER BY document LIMIT $2)
          """, collection, count)
        if dropped > 0 { return true }
      }
      if try forgetPast(upTo: Instant(nanoseconds: .max), writer) { return true }
      return try forgetWords(writer)
    }
    if hasRows { return true }
    return try await removeRetired(database)
  }

  /// Takes some words out of the vocabulary, with the beginnings and misspellings by which they are found.
  private func forgetWords(_ writer: any Writer) throws -> Bool {
    let words: [String] = try writer.rows(
      "SELECT word FROM octet_search_words WHERE collection = $1 ORDER BY word LIMIT $2", collection,
      SearchLimits.wordsAtOnce / 4
    ) { $0[0] }
    for word in words {
      for prefix in prefixes(of: word) {
        try writer.send("DELETE FROM octet_search_prefixes WHERE prefix = $1 AND word = $2", prefix, word)
      }
      for remainder in SearchText.remainders(word, edits: 2) {
        try writer.send(
          "DELETE FROM octet_search_typos WHERE remainder = $1 AND word = $2", remainderKey(remainder), word)
      }
      for table in ["new_words", "words"] {
        try writer.send("DELETE FROM octet_search_\(table) WHERE collection = $1 AND word = $2", collection, word)
      }
    }
    return !words.isEmpty
  }
}
