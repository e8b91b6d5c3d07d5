import Base
import StorageSQLite
import Testing

@testable import Storage

@Suite struct SearchLimitTests {
  private let clock = ManualClock()

  private func withIndex(_ body: (SearchIndex, SQLiteDatabase) async throws -> Void) async throws {
    let database = try await SQLiteDatabase.openTemporary(migrations: SearchSchema.migrations, clock: clock)
    let index = SearchIndex("things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 1))
    do {
      try await body(index, database)
    } catch {
      await database.close()
      throw error
    }
    await database.close()
  }

  private func put(_ texts: [String], _ index: SearchIndex, _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      for (id, text) in texts.enumerated() {
        try index.put(SearchDocument(id: Int64(id), texts: ["text": text]), in: writer)
      }
    }
  }

  @Test func `a query looks at no more than so many documents, and says so; frequencies are estimated`() async throws {
    try await withIndex { index, database in
      let count = SearchLimits.candidates + 600
      let texts = (0..<count).map { n -> String in
        if n % 13 == 0 { return "red" }
        return n % 17 == 0 ? "lamp" : "red lamp"
      }
      try await put(texts, index, database)
      let page = try await database.read { try index.search(SearchQuery("red lamp"), pageSize: 500, in: $0) }
      #expect(page.hits.count == 500 && !page.isComplete)
      let estimate = try await database.read { try index.estimate(index.wordKey("red"), $0) }
      let reds = Double(texts.filter { $0.contains("red") }.count)
      // The error of k smallest hashes is 1/√k; four times as much is next to impossible.
      let tolerance = 4 / Double(SearchLimits.estimateRows).squareRoot()
      #expect(abs(Double(estimate) - reds) < reds * tolerance)
    }
  }

  @Test func `an unfinished word stands for no more than so many, and the page says so`() async throws {
    try await withIndex { index, database in
      let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
      let pairs: [String] = letters.flatMap { a in letters.map { b in "longer\(a)\(b)" } }
      let texts: [String] = letters.map { "pre\($0)" } + pairs
      try await put(texts, index, database)
      let short = try await database.read { reader in
        try index.search(SearchQuery("pre", completesLastWord: true), pageSize: 500, in: reader)
      }
      #expect(short.hits.count == SearchLimits.completions && !short.isComplete)
      let all = try await database.read { try index.completions("longer", $0) }
      #expect(all.words.count == SearchLimits.completions && !all.areAll)
      #expect(letters.count * letters.count > SearchLimits.prefixScan)
      let few = try await database.read { try index.completions("longera", $0) }
      #expect(!few.areAll)
      let one = try await database.read { try index.completions("longerab", $0) }
      #expect(one.words.map(\.word) == ["longerab"] && one.areAll)
    }
  }

  @Test func `a misspelt word is compared with no more than so many`() async throws {
    try await withIndex { index, database in
      try await put("abcdefghijklmnopqrstuvwxyz0123456789".map { "wonders" + String($0) }, index, database)
      let found = try await database.read { try index.corrections("wonders", $0) }
      #expect(found.count == SearchLimits.typoScan)
    }
  }

  @Test func `long words and documents are cut`() async throws {
    try await withIndex { index, database in
      let long = String(repeating: "a", count: SearchLimits.wordLength)
      let many = String(repeating: "word ", count: SearchLimits.documentWords)
      try await put([long + "b", many + "last"], index, database)
      let found = try await database.read { try index.search(SearchQuery(long + "c"), pageSize: 9, in: $0).hits }
      #expect(found.map(\.id) == [0])
      let last = try await database.read { try index.search(SearchQuery("last"), pageSize: 9, in: $0).hits }
      #expect(last == [])
    }
  }

  @Test func `a document may have all its tags and numbers`() async throws {
    try await withIndex { index, database in
      let tags = (0..<SearchLimits.documentTags).map { "t\($0)" }
      let numbers = (0..<SearchLimits.documentNumbers).map { Int64($0) }
      try await database.write {
        try index.put(SearchDocument(id: 1, texts: [:], tags: tags, numbers: numbers), in: $0)
      }
      let (tag, position) = (tags.count - 1, numbers.count - 1)
      let query = SearchQuery("", tags: [tags[tag]], ranges: [position: numbers[position]...numbers[position]])
      let hits = try await database.read { try index.search(query, pageSize: 9, in: $0).hits }
      #expect(hits.map(\.id) == [1])
    }
  }

  @Test func `a node forgets the oldest result lists`() {
    let results = SearchResults(clock: clock, random: SeededRandomSource(seed: 1))
    let first = results.keep([], isComplete: true, query: 7)
    #expect(results.list(first, query: 7) != nil && results.list(first, query: 8) == nil)
    for _ in 0...SearchLimits.resultLists { _ = results.keep([], isComplete: true, query: 7) }
    #expect(results.list(first, query: 7) == nil)
  }
}
