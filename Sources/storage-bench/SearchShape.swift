import Base
import Storage

/// Something that finds documents: our index, or what the engine brings along.
protocol SearchShape: Sendable {
  func prepare(_ database: any Database) async throws
  func count(_ reader: any Reader) throws -> Int
  func put(_ documents: [SearchCorpus.Document], _ writer: any Writer) throws
  /// - Returns: how many of the first twenty hits there are.
  func search(_ query: SearchCorpus.Query, _ reader: any Reader) throws -> Int
  /// Words for a misspelt one, how many; nil: there is nothing for this.
  func suggest(_ typed: String, _ reader: any Reader) throws -> Int?
  /// Background work. Returns whether there is more.
  func step(_ database: any Database) async throws -> Bool
  /// Octets on disk.
  func size(_ reader: any Reader) throws -> Int
}

extension SearchShape {
  /// Octets of the tables with such names and their indexes; on SQLite of the whole file.
  func size(like name: String, _ reader: any Reader) throws -> Int {
    let sql =
      reader.dialect == .sqlite
      ? "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size() WHERE $1 <> ''"
      : "SELECT COALESCE(sum(pg_total_relation_size(oid)), 0) FROM pg_class WHERE relkind = 'r' AND relname LIKE $1"
    return try reader.first(sql, name) { $0[0] } ?? 0
  }
}

struct OurSearch: SearchShape {
  let index: SearchIndex

  init(_ clock: SystemClock) {
    index = SearchIndex(
      "bench", fields: ["title": 3, "body": 1], typicalLength: 57, clock: clock, random: SystemRandomSource())
  }

  func prepare(_ database: any Database) async throws {}

  func count(_ reader: any Reader) throws -> Int {
    try reader.first("SELECT count(*) FROM octet_search_documents") { $0[0] } ?? 0
  }

  func put(_ documents: [SearchCorpus.Document], _ writer: any Writer) throws {
    let indexed = documents.map { document in
      SearchDocument(
        id: document.id, texts: ["title": document.title, "body": document.body],
        tags: ["public", "store/\(document.store)"], numbers: [document.price])
    }
    try index.put(indexed, in: writer)
  }

  func search(_ query: SearchCorpus.Query, _ reader: any Reader) throws -> Int {
    var tags = ["public"]
    if let store = query.store { tags.append("store/\(store)") }
    let asked = SearchQuery(
      query.words.joined(separator: " "), tags: tags, ranges: query.prices.map { [0: $0] } ?? [:],
      completesLastWord: query.isLastUnfinished)
    return try index.search(asked, pageSize: 20, in: reader).hits.count
  }

  func suggest(_ typed: String, _ reader: any Reader) throws -> Int? {
    try index.suggest(typed, tags: ["public"], in: reader).count
  }

  func step(_ database: any Database) async throws -> Bool { try await index.step(database) }

  func size(_ reader: any Reader) throws -> Int { try size(like: "octet_search_%", reader) }
}

/// FTS5 with its bm25, or tsvector with GIN and ts_rank; stores and prices are columns of a table beside.
struct EngineSearch: SearchShape {
  func prepare(_ database: any Database) async throws {
    let catalogue = "SELECT count(*) FROM "
    try await database.write { writer in
      let isSQLite = writer.dialect == .sqlite
      let found: Int? = try writer.first(
        catalogue
          + (isSQLite
            ? "sqlite_schema WHERE name = 'peer_documents'" : "pg_class WHERE relname = 'peer_documents'")
      ) { $0[0] }
      if found != 0 { return }
      if isSQLite {
        try writer.define("CREATE TABLE peer_documents (id INTEGER PRIMARY KEY, store INTEGER, price INTEGER)")
        try writer.define("CREATE VIRTUAL TABLE peer_words USING fts5(title, body, content='', prefix='2 4')")
      } else {
        try writer.define(
          "CREATE TABLE peer_documents (id INTEGER PRIMARY KEY, store INTEGER, price INTEGER, words tsvector)")
        try writer.define("CREATE INDEX peer_words ON peer_documents USING gin (words)")
      }
    }
  }

  func count(_ reader: any Reader) throws -> Int {
    try reader.first("SELECT count(*) FROM peer_documents") { $0[0] } ?? 0
  }

  func put(_ documents: [SearchCorpus.Document], _ writer: any Writer) throws {
    for document in documents { try put(document, writer) }
  }

  private func put(_ document: SearchCorpus.Document, _ writer: any Writer) throws {
    if writer.dialect == .sqlite {
      try writer.execute(
        "INSERT INTO peer_documents (id, store, price) VALUES ($1, $2, $3)", document.id, document.store,
        document.price)
      try writer.execute(
        "INSERT INTO peer_words (rowid, title, body) VALUES ($1, $2, $3)", document.id, document.title, document.body)
    } else {
      try writer.execute(
        """
        INSERT INTO peer_documents (id, store, price, words) VALUES ($1, $2, $3,
          setweight(to_tsvector('simple', CAST($4 AS TEXT)), 'A')
          || setweight(to_tsvector('simple', CAST($5 AS TEXT)), 'D'))
        """, document.id, document.store, document.price, document.title, document.body)
    }
  }

  func search(_ query: SearchCorpus.Query, _ reader: any Reader) throws -> Int {
    let isSQLite = reader.dialect == .sqlite
    var words = query.words
    if query.isLastUnfinished, let last = words.popLast() { words.append(last + (isSQLite ? "*" : ":*")) }
    var conditions = ""
    var arguments: [SQLValue] = [.text(words.joined(separator: isSQLite ? " " : " & "))]
    if let store = query.store {
      conditions += " AND d.store = $\(arguments.count + 1)"
      arguments.append(.integer(Int64(store)))
    }
    if let prices = query.prices {
      conditions += " AND d.price >= $\(arguments.count + 1) AND d.price <= $\(arguments.count + 2)"
      arguments += [.integer(prices.lowerBound), .integer(prices.upperBound)]
    }
    let join = conditions.isEmpty ? "" : "JOIN peer_documents d ON d.id = w.rowid"
    let sql =
      isSQLite
      ? """
      SELECT w.rowid FROM peer_words w \(join) WHERE peer_words MATCH $1\(conditions)
      ORDER BY bm25(peer_words, 3.0, 1.0) LIMIT 20
      """
      : """
      SELECT d.id FROM peer_documents d, to_tsquery('simple', CAST($1 AS TEXT)) q WHERE d.words @@ q\(conditions)
      ORDER BY ts_rank(d.words, q) DESC LIMIT 20
      """
    return try reader.rows(sql, arguments) { $0[0] as Int64 }.count
  }

  func suggest(_ typed: String, _ reader: any Reader) throws -> Int? { nil }

  func step(_ database: any Database) async throws -> Bool { false }

  func size(_ reader: any Reader) throws -> Int { try size(like: "peer_%", reader) }
}
