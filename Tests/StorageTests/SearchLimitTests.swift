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

  @Test func `a query looks at no more than so many postings, newest documents first, and says so`() async throws {
    var shape = SearchIndex.Shape()
    (shape.sealedDocuments, shape.termsBetweenChecks, shape.postings) = (100, 1, 150)
    let index = SearchIndex(
      "things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 1), shape: shape)
    try await withIndex { _, database in
      for batch in 0..<3 as Range<Int64> {
        try await database.write { writer in
          for id in 0..<100 as Range<Int64> {
            try index.put(SearchDocument(id: batch * 100 + id, texts: ["text": "red lamp"]), in: writer)
          }
        }
        clock.advance(by: .seconds(1))
      }
      let one = try await database.read { try index.search(SearchQuery("red"), pageSize: 500, in: $0) }
      #expect(!one.isComplete && one.hits.map(\.id) == Array(200..<300))
      // Two postings of each document: not even one segment.
      let two = try await database.read { try index.search(SearchQuery("red lamp"), pageSize: 500, in: $0) }
      #expect(!two.isComplete && two.hits.isEmpty)
    }
  }

  @Test func `facets are exact beyond ten thousand hits`() async throws {
    let count: Int64 = 12_000
    try await withIndex { index, database in
      for start in stride(from: 0, to: count, by: 4000) {
        let documents = (start..<start + 4000).map { id in
          SearchDocument(
            id: id, texts: ["text": "lamp"], tags: ["store/\(id % 3)"] + (id.isMultiple(of: 8) ? ["new"] : []))
        }
        try await database.write { try index.put(documents, in: $0) }
      }
      let query = SearchQuery("lamp", facets: ["store/0", "store/1", "store/2", "new"])
      let page = try await database.read { try index.search(query, pageSize: 10, in: $0) }
      #expect(page.isComplete && page.hits.count == 10)
      #expect(page.facets == ["store/0": 4000, "store/1": 4000, "store/2": 4000, "new": 1500])
    }
  }

  @Test func `documents are sealed by their number or by their terms, and merged up to a size`() async throws {
    var shape = SearchIndex.Shape()
    shape.termsBetweenChecks = 1
    let long = (0..<SearchLimits.documentWords).map { "w\($0)" }.joined(separator: " ")
    for (text, needed) in [("lamp", SearchLimits.sealedDocuments), (long, 5)] {
      let index = SearchIndex(
        "things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 1), shape: shape)
      try await withIndex { _, database in
        try await put(Array(repeating: text, count: needed - 1), index, database)
        let sizes = "SELECT documents FROM octet_search_segments WHERE state = 1"
        #expect(try await database.read { try $0.rows(sizes) { $0[0] as Int } } == [])
        try await put(Array(repeating: text, count: needed), index, database)
        #expect(try await database.read { try $0.rows(sizes) { $0[0] as Int } } == [needed])
      }
    }
    #expect(4 * SearchLimits.documentWords < SearchLimits.sealedTerms)
    #expect(5 * SearchLimits.documentWords >= SearchLimits.sealedTerms)
    (shape.sealedDocuments, shape.mergedSegments, shape.segmentDocuments) = (10, 2, 50)
    let index = SearchIndex(
      "things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 1), shape: shape)
    try await withIndex { _, database in
      try await put(Array(repeating: "lamp", count: 160), index, database)
      while try await index.step(database) {}
      let sizes: [Int] = try await database.read {
        try $0.rows("SELECT documents FROM octet_search_segments WHERE state = 1") { $0[0] }
      }
      #expect(sizes == [40, 40, 40, 40], "80 would be more than 50")
    }
  }

  @Test func `the best postings of a long list are kept once more, as many as can be reached by paging`() async throws {
    #expect(SearchLimits.bestPostings >= SearchLimits.hits && SearchLimits.longList > SearchLimits.bestPostings)
    try await withIndex { _, database in
      for count in [SearchLimits.longList, SearchLimits.longList + 1] {
        var rows = SearchRows(Int64(count), documents: 2 * count, SearchIndex.Shape())
        rows.append(2, (0..<count).map { (ordinal: Int32($0), impact: UInt16($0 % 100 + 1)) })
        rows.finish()
        let made = rows
        let kept = try await database.write { writer -> Int in
          try made.write(writer)
          var kept = 0
          let best = "SELECT bytes FROM octet_search_blocks WHERE segment = $1 AND part < 0"
          try writer.query(best, [.integer(Int64(count))]) {
            SearchPostings.forEach([$0[0]], documents: 2 * count) { _, _ in kept += 1 }
          }
          return kept
        }
        #expect(kept == (count > SearchLimits.longList ? SearchLimits.bestPostings : 0))
      }
    }
  }

  @Test func `a node remembers no more documents than it may`() {
    let cache = SearchDocumentCache()
    // Sixteen times the same array.
    let ids = [Int64](repeating: 1, count: SearchLimits.rememberedDocuments / 16)
    for segment in 1...16 as ClosedRange<Int64> { cache.keep(ids, of: segment) }
    #expect((1...16 as ClosedRange<Int64>).allSatisfy { cache[$0] != nil })
    cache.keep([11], of: 17)
    #expect(cache[1] == nil && cache[17] == [11])
  }

  @Test func `a node remembers no more octets of lists than it may, those that were used last`() {
    let (lists, size) = (SearchListCache(bytes: SearchLimits.rememberedListBytes), 1 << 20)
    let segment = SearchSegment(id: 1, documents: size, lowest: 0, highest: 1)
    let long = SearchList(
      total: size, parts: [SearchPostings.Part(first: 0, bytes: [UInt8](repeating: 0, count: size))])
    let count = Int64(2 * SearchLimits.rememberedListBytes / size)
    for term in 0..<count { lists.keep([term: [segment.id: long]]) }
    let known = (0..<count).filter { lists.lists(of: $0, in: [segment])[segment.id] != nil }
    #expect(known.last == count - 1 && known.count >= 16 && known.count * size <= SearchLimits.rememberedListBytes)
  }

  @Test func `a word about a person is completed from so many letters at most`() async throws {
    try await withIndex { index, database in
      let name = String(repeating: "x", count: SearchLimits.personalStart + 2)
      let person = SearchDocument(id: 1, texts: ["text": name], isPersonal: true)
      try await database.write { try index.put(person, in: $0) }
      for (letters, isFound) in [
        (1, true), (SearchLimits.personalStart, true), (SearchLimits.personalStart + 1, false),
      ] {
        let query = SearchQuery(String(name.prefix(letters)), completesLastWord: true)
        let hits = try await database.read { try index.search(query, pageSize: 10, in: $0).hits }
        #expect(hits.isEmpty != isFound)
      }
    }
  }

  @Test func `a node remembers so many words to be known`() async throws {
    try await withIndex { index, database in
      index.knownWords.withLock { known in
        for key in 0..<Int64(SearchLimits.rememberedWords) { known[key] = true }
      }
      try await put(["lamp"], index, database)
      index.knownWords.withLock { known in
        #expect(known[index.wordKey("lamp")] == true && known.count <= SearchLimits.rememberedWords)
      }
      let words: [String] = try await database.read { try $0.rows("SELECT word FROM octet_search_words") { $0[0] } }
      #expect(words == ["lamp"])
    }
  }

  @Test func `the frequency of a word is known by its magnitude`() async throws {
    try await withIndex { index, database in
      try await database.write { writer in
        for id in 0..<8192 as Range<Int64> {
          let text = id % 64 == 0 ? "often seldom" : "often"
          try index.put(SearchDocument(id: id, texts: ["text": text]), in: writer)
        }
      }
      let found = try await database.read { try index.completions("often", $0).words.map(\.magnitude) }
      // 8192 is 2¹³; three more or less is next to impossible.
      #expect(found.allSatisfy { (10...16).contains($0) } && found.count == 1)
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

  private static let letters = "0123456789abcdefghijklmnopqrstuvwxyz".map(String.init)

  @Test func `of very many words with one beginning so many are looked at on either side of a misspelt one`()
    async throws
  {
    try await withIndex { index, database in
      let words: [String] = Self.letters.flatMap { a in Self.letters.map { b in "wonders\(a)\(b)" } }
      let typed = "wondersmm"
      try await put(words.filter { $0 != typed }, index, database)
      let found = try await database.read { try index.corrections(typed, $0).map(\.word) }
      let place = try #require(words.firstIndex(of: typed))
      let nearest = words[place - SearchLimits.typoScan...place + SearchLimits.typoScan]
      #expect(Set(found) == Set(nearest).subtracting([typed]))
    }
  }

  @Test func `a misspelt word is compared with no more than so many`() async throws {
    try await withIndex { index, database in
      let typed = "abcdefghi"
      // Two letters wrong, one of them among the first seven.
      var made: [String] = []
      for (first, second) in [(1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (6, 8)] {
        for a in Self.letters where !typed.contains(a) {
          for b in Self.letters where !typed.contains(b) {
            var word = typed.map(String.init)
            (word[first], word[second]) = (a, b)
            made.append(word.joined())
          }
        }
      }
      let words = made.sorted()
      let middle = try #require(words.firstIndex { $0 > typed })
      // As if each way to shorten it led to other words, as many as are looked at.
      let remainders = SearchText.remainders(typed, edits: 1).sorted().prefix(6)
      try await database.write { writer in
        for (number, remainder) in remainders.enumerated() where remainder != "abcdefg" {
          let some = number * SearchLimits.typoScan
          let below = words[..<(middle - some)].suffix(SearchLimits.typoScan)
          let above = words[(middle + some)...].prefix(SearchLimits.typoScan)
          #expect(below.count + above.count == 2 * SearchLimits.typoScan)
          for word in below + above {
            try writer.execute(
              "INSERT INTO octet_search_typos (remainder, word) VALUES ($1, $2)", index.remainderKey(remainder), word)
          }
        }
      }
      let found = try await database.read { try index.corrections(typed, $0) }
      #expect(found.count == SearchLimits.typoComparisons)
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
    let results = SearchResults()
    func cursor(_ id: Int64, query: Int64 = 7) -> SearchCursor {
      SearchCursor(
        list: id, offset: 1, last: SearchHit(id: 1, score: 1), query: query, madeAt: clock.now(), groups: [],
        hasAllWords: true)
    }
    let list = SearchResultList(query: 7, hits: [], isComplete: true, after: nil)
    results.keep(list, as: 1)
    #expect(results.list(for: cursor(1)) != nil && results.list(for: cursor(1, query: 8)) == nil)
    for id in 2...Int64(SearchLimits.resultLists + 2) { results.keep(list, as: id) }
    #expect(results.list(for: cursor(1)) == nil)
  }

  @Test func `a cursor is refused where too much has changed since`() async throws {
    try await withIndex { index, database in
      let query = SearchQuery("lamp")
      try await put(Array(repeating: "lamp", count: 3), index, database)
      let cursor = try await database.read { try index.search(query, pageSize: 1, in: $0).next }
      clock.advance(by: .seconds(1))
      let other = SearchIndex("things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 2))
      func change(_ numbers: Range<Int>) async throws {
        let (collection, now) = (index.collection, clock.now())
        try await database.write { writer in
          for number in numbers {
            try writer.send(
              "INSERT INTO octet_search_past (collection, until, document, since, entry) VALUES ($1, $2, $3, $4, $5)",
              collection, now, 1000 + number, now, [0, 0] as [UInt8])
          }
        }
      }
      try await change(0..<SearchLimits.pastEntries)
      #expect(try await database.read { try other.search(query, pageSize: 9, after: cursor, in: $0).hits.count } == 2)
      try await change(SearchLimits.pastEntries..<(SearchLimits.pastEntries + 1))
      let third = SearchIndex("things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 3))
      await #expect(throws: SearchError.cursorExpired) {
        try await database.read { try third.search(query, pageSize: 9, after: cursor, in: $0) }
      }
    }
  }
}
