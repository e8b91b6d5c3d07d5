import Base
import Foundation
import Testing

@testable import Storage

@Suite struct SearchConformance {
  private func makeIndex(
    _ clock: any WallClock = ManualClock(), seed: UInt64 = 1
  ) -> SearchIndex {
    SearchIndex(
      "things", fields: ["title": 3, "text": 1], clock: clock, random: SeededRandomSource(seed: seed))
  }

  /// All hits of a query, page by page.
  private func all(
    _ index: SearchIndex, _ query: SearchQuery, pageSize: Int, _ database: any Database,
    between: (() async throws -> Void)? = nil
  ) async throws -> [SearchHit] {
    var hits: [SearchHit] = []
    var cursor: SearchCursor?
    repeat {
      let now = cursor
      let page = try await database.read { try index.search(query, pageSize: pageSize, after: now, in: $0) }
      hits += page.hits
      // As a page token carries it.
      cursor = page.next.flatMap { SearchCursor($0.values) }
      if cursor != nil { try await between?() }
    } while cursor != nil
    return hits
  }

  private func ids(_ index: SearchIndex, _ query: SearchQuery, _ database: any Database) async throws -> [Int64] {
    try await database.read { try index.search(query, pageSize: 100, in: $0).hits.map(\.id) }
  }

  @Test(arguments: Engine.all) func `what is put in is found from its own transaction on, and what is taken out is not`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      let query = SearchQuery("red shoes")
      let inside = try await database.write { writer in
        try index.put(SearchDocument(id: 1, texts: ["title": "Red shoes"]), in: writer)
        try index.put(SearchDocument(id: 2, texts: ["title": "Red hat"]), in: writer)
        return try index.search(query, pageSize: 10, in: writer).hits.map(\.id)
      }
      #expect(inside == [1])
      try await database.write { try index.put(SearchDocument(id: 1, texts: ["title": "Blue shoes"]), in: $0) }
      #expect(try await ids(index, query, database) == [])
      #expect(try await ids(index, SearchQuery("blue"), database) == [1])
      try await database.write { try index.remove(1, in: $0) }
      #expect(try await ids(index, SearchQuery("blue"), database) == [])
      for table in ["documents", "postings"] {
        let rows: Int? = try await database.read {
          try $0.first("SELECT count(*) FROM octet_search_\(table)") { $0[0] }
        }
        #expect(rows == (table == "documents" ? 1 : 2), "only document 2 is left")
      }
    }
  }

  @Test(arguments: Engine.all) func `a transaction that rolls back leaves nothing to be found`(
    engine: Engine
  ) async throws {
    struct Refusal: Error {}
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      await #expect(throws: Refusal.self) {
        try await database.write { writer in
          try index.put(SearchDocument(id: 1, texts: ["title": "ghost"]), in: writer)
          throw Refusal()
        }
      }
      let found = try await ids(index, SearchQuery("ghost"), database)
      #expect(found == [])
    }
  }

  @Test(arguments: Engine.all) func `fields, repetition, length and boost count, ties go by id`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      try await database.write { writer in
        let texts: [(Int64, [String: String], Double)] = [
          (1, ["text": "a lamp"], 1), (2, ["title": "a lamp"], 1), (3, ["text": "lamp lamp lamp"], 1),
          (4, ["text": "lamp " + String(repeating: "word ", count: 200)], 1), (5, ["text": "a lamp"], 16),
          (6, ["text": "a lamp"], 1),
        ]
        for (id, texts, boost) in texts {
          try index.put(SearchDocument(id: id, texts: texts, boost: boost), in: writer)
        }
      }
      #expect(try await ids(index, SearchQuery("lamp"), database) == [5, 3, 2, 1, 6, 4])
    }
  }

  @Test(arguments: Engine.all) func `tags and ranges filter, a word is no tag, facets are counted`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      try await database.write { writer in
        for id in 1...9 as ClosedRange<Int64> {
          try index.put(
            SearchDocument(
              id: id, texts: ["text": "lamp private"], tags: [id % 3 == 0 ? "private" : "public", "store/\(id % 2)"],
              numbers: [id * 100]), in: writer)
        }
      }
      #expect(try await ids(index, SearchQuery("lamp", tags: ["private"]), database) == [3, 6, 9])
      #expect(try await ids(index, SearchQuery("", tags: ["private"]), database) == [3, 6, 9])
      #expect(try await ids(index, SearchQuery("lamp", tags: ["private", "store/0"]), database) == [6])
      #expect(try await ids(index, SearchQuery("lamp", ranges: [0: 200...450]), database) == [2, 3, 4])
      #expect(try await ids(index, SearchQuery("lamp", ranges: [1: 0...450]), database) == [])
      let page = try await database.read {
        try index.search(
          SearchQuery("lamp", tags: ["public"], facets: ["store/0", "store/1", "store/2"]), pageSize: 1, in: $0)
      }
      #expect(page.facets == ["store/0": 3, "store/1": 3] && page.isComplete)
    }
  }

  @Test(arguments: Engine.all) func `accents, case, width and script do not matter`(engine: Engine) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      try await database.write { writer in
        let texts = ["Müller-Straße ﬁne", "東京都庁", "서울특별시", "ΑΘΗΝΑΣ", "Łódź don't", "กรุงเทพ", "Ｗｉｄｅ ０１"]
        for (id, text) in texts.enumerated() {
          try index.put(SearchDocument(id: Int64(id), texts: ["text": text]), in: writer)
        }
      }
      let queries: [(String, [Int64])] = [
        ("MULLER strasse", [0]), ("fine", [0]), ("京都", [1]), ("京", [1]), ("大阪", []), ("특별", [2]), ("αθηνάς", [3]),
        ("lodz", [4]), ("dont", [4]), ("กรุง", [5]), ("wide 01", [6]), ("ｗide", [6]),
      ]
      for (query, expected) in queries {
        #expect(try await ids(index, SearchQuery(query), database) == expected, "\(query)")
      }
    }
  }

  @Test(arguments: Engine.all) func `the last word may be unfinished`(engine: Engine) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      try await database.write { writer in
        for (id, text) in ["red shoes", "red shopping bag", "blue shoes", "red hat"].enumerated() {
          try index.put(SearchDocument(id: Int64(id), texts: ["text": text]), in: writer)
        }
      }
      let typed: [(String, Set<Int64>)] = [
        ("red s", [0, 1]), ("red sho", [0, 1]), ("red shopp", [1]), ("red shoppi", [1]), ("shoes", [0, 2]),
        ("re", [0, 1, 3]),
        ("x", []),
      ]
      for (text, expected) in typed {
        let found = try await ids(index, SearchQuery(text, completesLastWord: true), database)
        #expect(Set(found) == expected && found.count == expected.count, "\(text)")
      }
      #expect(try await ids(index, SearchQuery("red sho"), database) == [])
    }
  }

  @Test(arguments: Engine.all) func `misspelt words are recognised, and nothing hidden is suggested`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      try await database.write { writer in
        let texts = ["book", "bookshop", "restaurant", "wonderful", "cat"]
        for (id, text) in texts.enumerated() {
          try index.put(SearchDocument(id: Int64(id), texts: ["text": text], tags: ["public"]), in: writer)
        }
        try index.put(SearchDocument(id: 99, texts: ["text": "bookmaker"], tags: ["private"]), in: writer)
      }
      func suggested(_ text: String) async throws -> [String] {
        try await database.read { try index.suggest(text, tags: ["public"], in: $0).map(\.word) }
      }
      #expect(try await suggested("book") == ["book", "bookshop"])
      #expect(try await suggested("boook") == ["book"], "one insertion")
      #expect(try await suggested("a restuarnt") == ["restaurant"], "a swap and a deletion")
      #expect(try await suggested("wondreful") == ["wonderful"], "a swap")
      #expect(try await suggested("xonderful") == ["wonderful"], "a wrong first letter costs two")
      #expect(try await suggested("rookshop") == [], "which eight letters may not have")
      #expect(try await suggested("cas") == [], "four letters must be right")
      #expect(try await suggested("bookmaker") == [], "only of a private document")
      try await database.write { try index.remove(4, in: $0) }
      #expect(try await suggested("cat") == [], "no document has it any more")
    }
  }

  @Test(arguments: Engine.all) func `random changes and queries agree with a naive search`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      let random = SeededRandomSource(seed: 42)
      let words = (0..<30).map { "w\($0)x" }
      var model: [Int64: SearchDocument] = [:]
      for round in 0..<60 {
        var changes: [(Int64, SearchDocument?)] = []
        for _ in 0..<5 {
          let id = Int64(random.below(100))
          var document: SearchDocument?
          if random.below(5) > 0 {
            // The product of two uniform numbers: some words are frequent.
            let text = (0...random.below(12)).map { _ in words[Int(random.below(random.below(30) + 1))] }
            document = SearchDocument(
              id: id, texts: ["text": text.joined(separator: " "), "title": words[Int(random.below(30))]],
              tags: ["t\(random.below(3))"], numbers: [Int64(random.below(10))],
              boost: [0.5, 1, 2][Int(random.below(3))])
          }
          changes.append((id, document))
          model[id] = document
        }
        let batch = changes
        try await database.write { writer in
          for (id, document) in batch {
            if let document { try index.put(document, in: writer) } else { try index.remove(id, in: writer) }
          }
        }
        let text = (0...random.below(2)).map { _ in words[Int(random.below(random.below(30) + 1))] }
        let query = SearchQuery(
          text.joined(separator: " "), tags: random.below(2) == 0 ? [] : ["t0"],
          ranges: random.below(2) == 0 ? [:] : [0: 2...8])
        let expected = NaiveSearch(documents: Array(model.values)).run(text, query)
        let found = try await all(index, query, pageSize: 7, database)
        #expect(found == expected, "seed 42, round \(round): \(query)")
      }
    }
  }
}

/// BM25 over all documents, word for word.
struct NaiveSearch {
  let documents: [SearchDocument]

  private func words(_ document: SearchDocument, _ field: String) -> [String] {
    (document.texts[field] ?? "").split(separator: " ").map(String.init)
  }

  private func impact(_ document: SearchDocument, _ word: String) -> Double? {
    let (title, text) = (words(document, "title"), words(document, "text"))
    let frequency = 3 * Double(title.filter { $0 == word }.count) + Double(text.filter { $0 == word }.count)
    guard frequency > 0 else { return nil }
    let length = 3 * Double(title.count) + Double(text.count)
    let norm = 1.2 * (1 - 0.75 + 0.75 * length / 32)
    return min((document.boost * frequency * 2.2 / (frequency + norm) * 1000).rounded(), 65535)
  }

  func run(_ words: [String], _ query: SearchQuery) -> [SearchHit] {
    var hits: [SearchHit] = []
    for document in documents {
      guard query.tags.allSatisfy(document.tags.contains),
        query.ranges.allSatisfy({ $0.value.contains(document.numbers[$0.key]) })
      else { continue }
      var score = 0.0
      var hasAll = true
      for word in words {
        guard let impact = impact(document, word) else {
          hasAll = false
          break
        }
        let n = Double(documents.filter { self.impact($0, word) != nil }.count)
        score += impact * (log(1 + (Double(documents.count) - n + 0.5) / (n + 0.5)) * 1000).rounded()
      }
      if hasAll { hits.append(SearchHit(id: document.id, score: Int64(score))) }
    }
    return hits.sorted { $0.score != $1.score ? $0.score > $1.score : $0.id < $1.id }
  }
}
