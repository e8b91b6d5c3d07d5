import Base
import Testing

@testable import Storage

@Suite struct SearchPagingConformance {
  private let clock = ManualClock()

  private func makeIndex(seed: UInt64 = 1) -> SearchIndex {
    SearchIndex("things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: seed))
  }

  private func document(_ id: Int64, boost: Double = 1, tags: [String] = ["public"]) -> SearchDocument {
    SearchDocument(id: id, texts: ["text": "lamp \(id)"], tags: tags, boost: boost)
  }

  private func fill(_ index: SearchIndex, _ ids: ClosedRange<Int64>, _ database: any Database) async throws {
    try await database.write { writer in
      for id in ids { try index.put(document(id, boost: Double(id % 7 + 1)), in: writer) }
    }
  }

  private let query = SearchQuery("lamp", tags: ["public"])

  @Test(arguments: Engine.all) func `pages are those of one snapshot, whatever is written between them`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let index = makeIndex()
      try await fill(index, 1...100, database)
      let before = try await database.read { try index.search(query, pageSize: 100, in: $0).hits }
      let random = SeededRandomSource(seed: 7)
      var shown: [SearchHit] = []
      var cursor: SearchCursor?
      var next: Int64 = 1000
      var (changed, gone): (Set<Int64>, Set<Int64>) = ([], [])
      func draw() -> Int64 { Int64(random.below(100)) + 1 }
      repeat {
        let now = cursor
        let page = try await database.read { try index.search(query, pageSize: 7, after: now, in: $0) }
        shown += page.hits
        cursor = page.next.flatMap { SearchCursor($0.values) }
        // One document appears, one is ranked anew, one is removed, one is hidden.
        next += 1
        let (added, ranked, removed, hidden) = (next, draw(), draw(), draw())
        let boost = Double(random.below(16))
        changed.insert(ranked)
        gone.formUnion([removed, hidden])
        try await database.write { writer in
          try index.put(document(added, boost: 4), in: writer)
          try index.put(document(ranked, boost: boost), in: writer)
          try index.remove(removed, in: writer)
          try index.put(document(hidden, tags: ["private"]), in: writer)
        }
      } while cursor != nil
      let ids = shown.map(\.id)
      #expect(Set(ids).count == ids.count, "nothing is repeated")
      let kept = before.filter { hit in ids.contains(hit.id) }
      #expect(shown == kept, "in the order and with the scores of the first page")
      let missing = Set(before.map(\.id)).subtracting(ids)
      #expect(missing.isSubset(of: gone), "what was ranked anew is there")
      #expect(changed.subtracting(gone).count > 3)
    }
  }

  @Test(arguments: Engine.all) func `on another node, or after its time, a cursor goes on behind the last hit`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let (first, second) = (makeIndex(), makeIndex(seed: 2))
      try await fill(first, 1...60, database)
      let whole = try await database.read { try first.search(query, pageSize: 100, in: $0).hits }
      let page = try await database.read { try first.search(query, pageSize: 20, in: $0) }
      clock.advance(by: SearchLimits.clockDifference + .milliseconds(1))
      // Documents that are new change how frequent the word is; the weights stay those of the first page.
      try await fill(first, 2001...2020, database)
      let other = try await database.read { try second.search(query, pageSize: 100, after: page.next, in: $0) }
      #expect(page.hits + other.hits == whole)
      clock.advance(by: SearchLimits.resultListLifetime)
      let late = try await database.read { try first.search(query, pageSize: 10, after: page.next, in: $0) }
      #expect(late.hits == Array(other.hits.prefix(10)))
      let later = try await database.read { try first.search(query, pageSize: 100, after: late.next, in: $0) }
      #expect(late.hits + later.hits == other.hits)
    }
  }

  /// As behind a balancer that goes round.
  @Test(arguments: Engine.all) func `pages from several nodes leave out what came or changed since the first`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let nodes = (1...3).map { makeIndex(seed: UInt64($0)) }
      try await fill(nodes[0], 101...200, database)
      let before = try await database.read { try nodes[0].search(query, pageSize: 100, in: $0).hits }
      clock.advance(by: SearchLimits.clockDifference)
      let random = SeededRandomSource(seed: 5)
      var (cursor, shown, changed): (SearchCursor?, [SearchHit], Set<Int64>) = (nil, [], [])
      for round in 0... {
        let now = cursor
        let page = try await database.read { reader in
          try nodes[round % nodes.count].search(query, pageSize: 7, after: now, in: reader)
        }
        shown += page.hits
        cursor = page.next.flatMap { SearchCursor($0.values) }
        if cursor == nil { break }
        clock.advance(by: .seconds(1))
        // New ones with lower and with higher ids, better and worse; one that is ranked anew.
        try await fill(nodes[0], Int64(10 + 3 * round)...Int64(12 + 3 * round), database)
        try await fill(nodes[1], Int64(1000 + 3 * round)...Int64(1002 + 3 * round), database)
        let id = Int64(101 + random.below(100))
        changed.insert(id)
        try await database.write { try nodes[0].put(document(id, boost: Double(random.below(16)) + 0.5), in: $0) }
      }
      let ids = shown.map(\.id)
      #expect(Set(ids).count == ids.count, "nothing is repeated")
      #expect(shown == before.filter { ids.contains($0.id) }, "in the order and with the scores of the first page")
      #expect(Set(before.map(\.id)).subtracting(ids).isSubset(of: changed), "nothing is missed that stayed as it was")
      #expect(changed.count > 5)
    }
  }

  @Test(arguments: Engine.all) func `a cursor of the version before goes on as it did`(engine: Engine) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let (first, second) = (makeIndex(), makeIndex(seed: 2))
      try await fill(first, 1...20, database)
      let page = try await database.read { try first.search(query, pageSize: 5, in: $0) }
      let cursor = try #require(page.next)
      let old = try #require(SearchCursor(Array(cursor.values.dropLast())))
      #expect(old.weights == cursor.weights && old.latest == nil)
      clock.advance(by: .seconds(1))
      try await database.write { try first.put(document(100, boost: 0.1), in: $0) }
      let hits = try await database.read { try second.search(query, pageSize: 50, after: old, in: $0).hits }
      #expect(hits.count == 16 && hits.contains { $0.id == 100 })
    }
  }

  @Test(arguments: Engine.all) func `paging ends with the greatest number of hits`(engine: Engine) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let index = makeIndex()
      try await fill(index, 1...Int64(SearchLimits.hits + 50), database)
      var (cursor, count, pages): (SearchCursor?, Int, Int) = (nil, 0, 0)
      repeat {
        let now = cursor
        let page = try await database.read { try index.search(query, pageSize: 300, after: now, in: $0) }
        (cursor, count, pages) = (page.next, count + page.hits.count, pages + 1)
      } while cursor != nil
      #expect(count == SearchLimits.hits && pages == 4)
    }
  }

  @Test(arguments: Engine.all) func `a writer beside is no obstacle: every page is whole`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let index = makeIndex()
      try await fill(index, 1...80, database)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<2 {
          group.addTask {
            for n in 0..<40 {
              let id = Int64(1000 + writer * 100 + n)
              try await database.write { writer in
                try index.put(document(id, boost: 3), in: writer)
                if n % 2 == 0 { try index.remove(id, in: writer) }
              }
            }
          }
        }
        for _ in 0..<2 {
          group.addTask {
            for _ in 0..<5 {
              var (cursor, ids): (SearchCursor?, [Int64]) = (nil, [])
              repeat {
                let now = cursor
                let page = try await database.read { try index.search(query, pageSize: 9, after: now, in: $0) }
                ids += page.hits.map(\.id)
                cursor = page.next
              } while cursor != nil
              #expect(Set(ids).count == ids.count)
              #expect(ids.filter { $0 <= 80 }.count == 80, "all that stays is shown")
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test(arguments: Engine.all) func `queries beyond the limits are refused, and odd ones find nothing`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let index = makeIndex()
      try await fill(index, 1...5, database)
      let words = (0...SearchLimits.queryWords).map { "w\($0)" }
      let tags = (0...SearchLimits.filters).map { "t\($0)" }
      let facets = (0...SearchLimits.facets).map { "f\($0)" }
      let refused: [(SearchQuery, Int, SearchError)] = [
        (SearchQuery(String(repeating: "a", count: SearchLimits.queryBytes + 1)), 10, .queryTooLong),
        (SearchQuery(words.joined(separator: " ")), 10, .tooManyWords),
        (SearchQuery(String(repeating: "東", count: 40)), 10, .tooManyWords),
        (SearchQuery(""), 10, .nothingToSearch), (SearchQuery("*** %% __"), 10, .nothingToSearch),
        (SearchQuery("***", tags: ["public"]), 10, .nothingToSearch),
        (SearchQuery("a", tags: tags), 10, .tooManyFilters),
        (SearchQuery("a", ranges: [-1: 0...1]), 10, .tooManyFilters),
        (SearchQuery("a", facets: facets), 10, .tooManyFacets),
        (SearchQuery("a"), 0, .badPageSize), (SearchQuery("a"), SearchLimits.pageSize + 1, .badPageSize),
      ]
      for (query, pageSize, error) in refused {
        await #expect(throws: error) {
          try await database.read { try index.search(query, pageSize: pageSize, in: $0) }
        }
      }
      let odd = [
        "lamp AND NOT", "\"lamps", "lamp* OR NEAR(", "'; DROP TABLE octet_search_words; --", "\0", "%", "\u{202e}x",
        String(repeating: "a", count: SearchLimits.queryBytes), "e" + String(repeating: "\u{301}", count: 400),
      ]
      for text in odd {
        for completes in [false, true] {
          let query = SearchQuery(text, completesLastWord: completes)
          do {
            let page = try await database.read { try index.search(query, pageSize: 10, in: $0) }
            #expect(page.hits.isEmpty, "\(text)")
          } catch SearchError.nothingToSearch {}
        }
        do {
          _ = try await database.read { try index.suggest(text, in: $0) }
        } catch SearchError.nothingToSearch {}
      }
      await #expect(throws: SearchError.queryTooLong) {
        try await database.read {
          try index.suggest(String(repeating: "a", count: SearchLimits.queryBytes + 1), in: $0)
        }
      }
      await #expect(throws: SearchError.badPageSize) {
        try await database.read { try index.suggest("a", limit: SearchLimits.suggestions + 1, in: $0) }
      }
    }
  }

  @Test(arguments: Engine.all) func `a cursor of another query is refused, and what is none is not taken for one`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let index = makeIndex()
      try await fill(index, 1...5, database)
      let page = try await database.read { try index.search(query, pageSize: 2, in: $0) }
      let cursor = try #require(page.next)
      await #expect(throws: SearchError.foreignCursor) {
        try await database.read { try index.search(SearchQuery("lamp"), pageSize: 2, after: cursor, in: $0) }
      }
      #expect(SearchCursor(cursor.values) == cursor)
      #expect(SearchCursor([]) == nil && SearchCursor([.text("x")]) == nil)
      #expect(SearchCursor(Array(cursor.values.prefix(4))) == nil)
      #expect(SearchCursor(cursor.values + [SQLValue](repeating: .integer(1), count: SearchLimits.queryWords)) == nil)
      #expect(SearchCursor(Array(cursor.values.prefix(5)) + [.integer(-1), .integer(1)]) == nil)
    }
  }
}
