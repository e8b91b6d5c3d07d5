import Base
import Foundation
import Testing

@testable import Storage

@Suite struct SearchConformance {
  private func makeIndex() -> SearchIndex {
    SearchIndex(
      "things", fields: ["title": 3, "text": 1], clock: ManualClock(), random: SeededRandomSource(seed: 1))
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
      for table in ["documents", "fresh"] {
        let rows: Int? = try await database.read {
          try $0.first("SELECT count(*) FROM octet_search_\(table)") { $0[0] }
        }
        #expect(rows == 1, "only document 2 is left")
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

  @Test(arguments: Engine.all) func `words that all documents have rank them by how often, also completions together`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      try await database.write { writer in
        for id in 1...2000 {
          // Each of the completions is in half of them, and the word that all have is there once but in one.
          let texts = ["text": (id % 2 == 0 ? "karat" : "karavan") + (id == 1900 ? " all all all" : " all here now")]
          try index.put(SearchDocument(id: Int64(id), texts: texts), in: writer)
        }
        try index.put(SearchDocument(id: 2001, texts: ["text": "karat karavan karat karat all"]), in: writer)
      }
      #expect(try await ids(index, SearchQuery("all"), database).first == 1900)
      #expect(try await ids(index, SearchQuery("kara", completesLastWord: true), database).first == 2001)
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

  @Test(arguments: Engine.all) func `words that come by hundreds are completed and corrected after a step`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = makeIndex()
      // One more than are spread in the transaction that brings them.
      let words = (0...SearchLimits.wordsAtOnce).map { "wonderful\(Unicode.Scalar(UInt8(97 + $0 / 26)))\($0)" }
      let documents = words.enumerated().map { SearchDocument(id: Int64($0) * 64, texts: ["text": $1]) }
      try await database.write { try index.put(documents, in: $0) }
      func completed(_ prefix: String) async throws -> Int {
        let query = SearchQuery(prefix, completesLastWord: true)
        return try await ids(index, query, database).count
      }
      #expect(try await ids(index, SearchQuery("wonderfula0"), database) == [0])
      #expect(try await completed("wond") == 0)
      #expect(try await completed("wonderfula") == SearchLimits.completions)
      let before = try await database.read { try index.suggest("wodnerfula0", in: $0).map(\.word) }
      #expect(before == [])
      // Their frequencies are noted meanwhile, which must not be lost.
      try await database.write { writer in for _ in 0..<8 { try index.weigh(["wonderfula7", "wonderfula9"], writer) } }
      while try await index.step(database) {}
      #expect(try await completed("wond") == SearchLimits.completions)
      let first = try await database.read { try index.completions("won", $0).words[0] }
      #expect(first.word.hasPrefix("wonderfula") && first.magnitude >= SearchIndex.weighing)
      let after = try await database.read { try index.suggest("wodnerfula0", in: $0).map(\.word) }
      #expect(after.contains("wonderfula0"))
      // Two errors in the beginning: only words that are known to be frequent.
      func corrected(_ typed: String) async throws -> [String] {
        try await database.read { try index.corrections(typed, $0).map(\.word).sorted() }
      }
      #expect(try await corrected("wxxderfula7") == ["wonderfula7"])
      #expect(try await corrected("wxxderfula0") == [])
      try await database.write { try index.weigh(["wonderfula0"], $0) }
      #expect(try await corrected("wxxderfula0") == ["wonderfula0"])
      try await database.write { try index.put(SearchDocument(id: 1, texts: ["text": "xylophone"]), in: $0) }
      #expect(try await completed("xyl") == 1, "a word by itself is at once")
    }
  }
}
