import Base
import Testing

@testable import Storage

/// What a node reads of segments, and what it remembers of them.
@Suite struct SearchMemoryConformance {
  private let clock = ManualClock()

  /// Notes the statements of those who read through it.
  private final class Noting: Reader {
    private let reader: any Reader
    private(set) var statements: [String] = []

    init(_ reader: any Reader) { self.reader = reader }

    var dialect: SQLDialect { reader.dialect }

    func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
      statements.append(sql)
      try reader.forEachRow(sql, arguments, row)
    }

    /// Statements that ask a table.
    func count(_ table: String) -> Int { statements.count { $0.contains("octet_search_\(table) ") } }
  }

  /// - Parameter bytes: what it remembers of lists, rows of dictionaries and their beginnings; nil: as much as others.
  private func makeIndex(remembers bytes: Int? = nil) -> SearchIndex {
    var shape = SearchIndex.Shape()
    (shape.sealedDocuments, shape.termsBetweenChecks) = (40, 1)
    (shape.longList, shape.bestPostings, shape.hits) = (10, 6, 5)
    if let bytes {
      (shape.rememberedListBytes, shape.rememberedRowBytes, shape.rememberedStartBytes) = (bytes, bytes, bytes)
    }
    return SearchIndex(
      "things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 1), shape: shape)
  }

  @Test(arguments: Engine.all) func `segments are read by few statements, and what is remembered of them by none`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let (index, little, forgetful) = (makeIndex(), makeIndex(remembers: 4000), makeIndex(remembers: 0))
      let random = SeededRandomSource(seed: 45)
      // 20 segments, in which each word has a list of its own rows or in the dictionary, and some are missing.
      for batch in 0..<20 as Range<Int64> {
        let documents = (0..<40 as Range<Int64>).map { id in
          let words = (0..<40).map { _ in "w\(random.below(random.below(60) + 1))x" }
          return SearchDocument(id: batch * 40 + id, texts: ["text": words.joined(separator: " ")], tags: ["all"])
        }
        try await database.write { try index.put(documents, in: $0) }
        clock.advance(by: .seconds(1))
      }
      let queries = ["w1x", "w", "w2", "w0x w5", "w59x", "none"].map {
        SearchQuery($0, tags: ["all"], completesLastWord: !$0.hasSuffix("x"))
      }
      for query in queries {
        try await database.read { reader in
          func statements(_ index: SearchIndex) throws -> (hits: [SearchHit], terms: Int, blocks: Int) {
            let noting = Noting(reader)
            let hits = try index.search(query, pageSize: 5, in: noting).hits
            return (hits, noting.count("terms"), noting.count("blocks"))
          }
          _ = try statements(index)
          let again = try statements(index)
          #expect(again.terms == 0 && again.blocks == 0, "\(query.text)")
          let anew = try statements(forgetful)
          let cut = try statements(little)
          #expect(anew.hits == again.hits && cut.hits == again.hits, "\(query.text)")
          #expect(again.hits.isEmpty == (query.text == "none"), "\(query.text)")
          // Where the rows of 20 segments begin, and up to 17 words in each of these.
          #expect((3...4).contains(anew.terms), "\(query.text)")
          // A neighbour of known words is looked up in rows that are known.
          let noting = Noting(reader)
          let source = try SearchSource(index, noting)
          try source.open([index.wordKey("unknown \(query.text)")], noting)
          #expect(noting.count("terms") == 0)
        }
      }
      #expect(index.dictionary.count >= 20 && forgetful.dictionary.count == 0)
      // Each row of a hundred words is longer than this.
      #expect(little.dictionary.count <= 4000 / 500)
    }
  }

  @Test(arguments: Engine.all) func `a word that is asked for twice is read once, and remembered so`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      let documents = (1...40 as ClosedRange<Int64>).map { id in
        // Of other impacts, so that the list has rows of its own.
        let words = Array(repeating: "wide", count: Int(id % 5) + 1) + (id % 2 == 0 ? ["even"] : ["odd"])
        return SearchDocument(id: id, texts: ["text": words.joined(separator: " ")], tags: ["all", "red"])
      }
      try await database.write { try index.put(documents, in: $0) }
      for (text, count) in [("wide wide", 40), ("wide wid", 40), ("wide even", 20)] {
        let query = SearchQuery(text, tags: ["red", "red"], completesLastWord: true, facets: ["red"])
        let page = try await database.read { try index.search(query, pageSize: 5, in: $0) }
        #expect(Set(page.hits.map(\.id)).count == 5, "\(text)")
        #expect(page.facets["red"] == count, "\(text)")
      }
    }
  }

  @Test(arguments: Engine.all) func `pairs are all asked for, each once, however many they are`(
    engine: Engine
  ) async throws {
    let table = "CREATE TABLE places (segment INTEGER NOT NULL, term INTEGER NOT NULL, PRIMARY KEY (segment, term))"
    try await engine.withDatabase([Migration("places", 1, "places", sql: table)]) { database in
      try await database.write { writer in
        for segment in 1...3 {
          for term in 0..<300 { try writer.execute("INSERT INTO places VALUES ($1, $2)", segment, term) }
        }
      }
      let pairs = SearchPairs { values in
        """
        SELECT p.segment, p.term FROM \(values) s CROSS JOIN places p
        WHERE p.segment = s.column1 AND p.term = s.column2
        """
      }
      for count in [0, 1, 2, 15, 16, 17, 63, 64, 65, 256, 257, 700] as [Int64] {
        let wanted = (0..<count).map { ($0 % 3 + 1, $0 / 3) }
        let found: [Int64] = try await database.read { reader in
          var found: [Int64] = []
          try pairs.forEach(wanted, reader) { found.append(($0[1] as Int64) * 3 + ($0[0] as Int64) - 1) }
          return found
        }
        #expect(found.sorted() == Array(0..<count))
      }
    }
  }
}
