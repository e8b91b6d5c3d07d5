internal import Base

/// What documents were: kept when an entry is replaced or removed, so that the index can be searched as it was at an
/// instant that is not long ago.
extension SearchIndex {
  /// Keeps a document's entry as it is until now. Before the change.
  func keepPast(of document: Int64, until now: Instant, _ writer: any Writer) throws {
    // Of two changes in one transaction the first one counts: what is between them was never seen.
    _ = try writer.send(
      """
      INSERT INTO octet_search_past (collection, until, document, since, entry)
      SELECT collection, CAST($3 AS BIGINT), document, changed_at, entry FROM octet_search_documents
      WHERE collection = $1 AND document = $2 ON CONFLICT DO NOTHING
      """, [.integer(collection), .integer(document), now.sqlValue], mustChange: false)
  }

  /// What was there at an instant and has been changed since, and what has come and been changed since: of each document
  /// the entry, or nil.
  /// - Throws: `SearchError.cursorExpired` if that is too much.
  func past(at moment: Instant, _ reader: any Reader) throws -> [Int64: SearchEntry?] {
    var past: [Int64: SearchEntry?] = [:]
    var count = 0
    try reader.query(
      """
      SELECT document, since, entry FROM octet_search_past WHERE collection = $1 AND until > $2
      ORDER BY until, document LIMIT $3
      """, [.integer(collection), moment.sqlValue, .integer(Int64(SearchLimits.pastEntries + 1))]
    ) { row in
      count += 1
      let document: Int64 = row[0]
      // What it was until the first of its changes.
      guard past[document] == nil else { return }
      let wasThere = (row[1] as Instant) <= moment + SearchLimits.clockDifference
      past[document] = .some(wasThere ? SearchEntry(row[2]) : nil)
    }
    guard count <= SearchLimits.pastEntries else { throw SearchError.cursorExpired }
    return past
  }

  /// Removes some of what no cursor asks for any more.
  /// - Returns: whether there is more.
  func forgetPast(_ database: any Database) async throws -> Bool {
    let end = clock.now() - SearchLimits.cursorLifetime - Self.keeping
    let isDue = try await database.read { [collection] in
      try $0.exists("SELECT 1 FROM octet_search_past WHERE collection = $1 AND until <= $2", collection, end)
    }
    guard isDue else { return false }
    return try await database.write { [self] in try forgetPast(upTo: end, $0) }
  }

  /// - Returns: whether there may be more.
  func forgetPast(upTo end: Instant, _ writer: any Writer) throws -> Bool {
    let bound: Instant? = try writer.first(
      "SELECT until FROM octet_search_past WHERE collection = $1 ORDER BY until LIMIT 1 OFFSET $2", collection,
      Self.rowsAtOnce
    ) { $0[0] }
    try writer.execute(
      "DELETE FROM octet_search_past WHERE collection = $1 AND until <= $2", collection, min(bound ?? end, end))
    // What becomes due one by one holds up nothing else.
    return bound.map { $0 < end } ?? false
  }
}
