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

  @Test(arguments: Engine.all) func `after its time a cursor is refused, and no sooner`(engine: Engine) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let nodes = [makeIndex(), makeIndex(seed: 2)]
      try await fill(nodes[0], 1...60, database)
      let whole = try await database.read { try nodes[0].search(query, pageSize: 100, in: $0).hits }
      let page = try await database.read { try nodes[0].search(query, pageSize: 20, in: $0) }
      clock.advance(by: SearchLimits.cursorLifetime - .nanoseconds(1))
      // Documents that are new change how frequent the word is; the weights stay those of the first page.
      try await fill(nodes[0], 2001...2020, database)
      for node in nodes {
        let rest = try await database.read { try node.search(query, pageSize: 100, after: page.next, in: $0) }
        #expect(page.hits + rest.hits == whole && rest.next == nil)
      }
      clock.advance(by: .nanoseconds(1))
      for node in nodes {
        await #expect(throws: SearchError.cursorExpired) {
          try await database.read { try node.search(query, pageSize: 10, after: page.next, in: $0) }
        }
      }
    }
  }

  /// As behind a balancer that goes round.
  @Test(arguments: Engine.all, [1, 3])
  func `pages from several nodes, or from one that forgets, are those of the first one's state`(
    engine: Engine, count: Int
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      var nodes = (1...count).map { makeIndex(seed: UInt64($0)) }
      try await fill(nodes[0], 101...200, database)
      let first = nodes[0]
      let before = try await database.read { try first.search(query, pageSize: 100, in: $0).hits }
      let random = SeededRandomSource(seed: 5)
      var (cursor, shown): (SearchCursor?, [SearchHit]) = (nil, [])
      var (changed, gone): (Set<Int64>, Set<Int64>) = ([], [])
      func draw() -> Int64 { Int64(101 + random.below(100)) }
      for round in 0... {
        // Alone, the node begins anew and has nothing in memory.
        if count == 1 { nodes = [makeIndex(seed: UInt64(10 + round))] }
        let now = cursor
        let node = nodes[round % nodes.count]
        let page = try await database.read { try node.search(query, pageSize: 7, after: now, in: $0) }
        shown += page.hits
        cursor = page.next.flatMap { SearchCursor($0.values) }
        if cursor == nil { break }
        clock.advance(by: .seconds(1))
        // New ones with lower and with higher ids, better and worse; one that is ranked anew twice, one that goes and comes
        // back with another rank, one that is removed, one that is hidden.
        try await fill(node, Int64(10 + 3 * round)...Int64(12 + 3 * round), database)
        try await fill(node, Int64(1000 + 3 * round)...Int64(1002 + 3 * round), database)
        let (ranked, back, removed, hidden) = (draw(), draw(), draw(), draw())
        changed.formUnion([ranked, back])
        gone.formUnion([removed, hidden])
        for boost in [0.5, Double(random.below(16))] {
          try await database.write { try node.put(document(ranked, boost: boost + 0.5), in: $0) }
          clock.advance(by: .milliseconds(1))
        }
        try await database.write { try node.remove(back, in: $0) }
        clock.advance(by: .milliseconds(1))
        try await database.write { writer in
          try node.put(document(back, boost: Double(random.below(16))), in: writer)
          try node.remove(removed, in: writer)
          try node.put(document(hidden, tags: ["private"]), in: writer)
        }
      }
      let ids = shown.map(\.id)
      #expect(Set(ids).count == ids.count, "nothing is repeated")
      #expect(shown == before.filter { ids.contains($0.id) }, "in the order and with the scores of the first page")
      #expect(Set(before.map(\.id)).subtracting(ids).isSubset(of: gone), "what has changed is not missed")
      #expect(changed.subtracting(gone).count > 5)
    }
  }

  @Test(arguments: Engine.all) func `a page is the same when it is asked for again, elsewhere and after later ones`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let (first, second) = (makeIndex(), makeIndex(seed: 2))
      try await fill(first, 1...40, database)
      var cursors: [SearchCursor] = []
      var pages: [[SearchHit]] = []
      var next = try await database.read { try first.search(query, pageSize: 10, in: $0).next }
      while let cursor = next {
        let page = try await database.read { try first.search(query, pageSize: 10, after: cursor, in: $0) }
        cursors.append(cursor)
        pages.append(page.hits)
        next = page.next
      }
      #expect(pages.map(\.count) == [10, 10, 10])
      clock.advance(by: .seconds(1))
      let changed = pages[0][0].id
      try await database.write { try first.put(document(changed, boost: 0.1), in: $0) }
      for (cursor, page) in zip(cursors, pages).reversed() + Array(zip(cursors, pages)) {
        let again = try await database.read { try second.search(query, pageSize: 10, after: cursor, in: $0) }
        #expect(again.hits == page)
      }
    }
  }

  @Test(arguments: Engine.all) func `what a word was completed to, or corrected to, is the same on another node`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let (first, second) = (makeIndex(), makeIndex(seed: 2))
      func put(_ word: String, _ ids: ClosedRange<Int64>) async throws {
        try await database.write { writer in
          try first.put(ids.map { SearchDocument(id: $0, texts: ["text": word]) }, in: writer)
        }
        while try await first.step(database) {}
      }
      // None of them is asked how frequent its words are.
      try await put("lantern", 1...5)
      let queries = [
        SearchQuery("lan", completesLastWord: true), SearchQuery("lantrn", correctsWords: true),
      ]
      var cursors: [SearchCursor] = []
      for query in queries {
        let page = try await database.read { try first.search(query, pageSize: 2, in: $0) }
        #expect(page.hits.map(\.id) == [1, 2] && page.isComplete)
        cursors.append(try #require(page.next))
      }
      clock.advance(by: .seconds(1))
      // As many words as are taken, which come before it.
      #expect(SearchLimits.completions == 16 && SearchLimits.corrections == 16)
      for (id, letter) in zip(101..., "abcdefghijklmnop") { try await put("lan\(letter)trn", Int64(id)...Int64(id)) }
      for (query, cursor) in zip(queries, cursors) {
        let anew = try await database.read { try second.search(query, pageSize: 500, in: $0) }
        #expect(!anew.hits.isEmpty && !anew.hits.contains { $0.id <= 5 })
        let rest = try await database.read { try second.search(query, pageSize: 9, after: cursor, in: $0) }
        #expect(rest.hits.map(\.id) == [3, 4, 5] && rest.isComplete)
        #expect(rest.isCorrected == query.correctsWords)
      }
    }
  }

  @Test(arguments: Engine.all) func `new documents hide none that were there, however many: else the cursor is refused`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      var shape = SearchIndex.Shape()
      shape.hits = 20
      let nodes = [1, 2, 3].map { seed in
        SearchIndex(
          "things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: seed), shape: shape)
      }
      try await fill(nodes[0], 1...15, database)
      let page = try await database.read { try nodes[0].search(query, pageSize: 5, in: $0) }
      let rest = try await database.read { try nodes[0].search(query, pageSize: 50, after: page.next, in: $0).hits }
      #expect(rest.count == 10)
      clock.advance(by: .seconds(1))
      // As good as those that were there, and before them by their ids.
      func add(_ count: Int) async throws {
        try await database.write { writer in
          for id in 1...Int64(count) { try nodes[0].put(document(-id, boost: Double(id % 7 + 1)), in: writer) }
        }
      }
      let last = shape.hits * (SearchLimits.listSearches - 1)
      try await add(last)
      let other = try await database.read { try nodes[1].search(query, pageSize: 50, after: page.next, in: $0) }
      #expect(other.hits == rest)
      try await add(last + 8 * shape.hits)
      await #expect(throws: SearchError.cursorExpired) {
        try await database.read { try nodes[2].search(query, pageSize: 50, after: page.next, in: $0) }
      }
    }
  }

  @Test(arguments: Engine.all)
  func `what documents were is kept as long as a cursor asks for it, and goes with the index`(engine: Engine)
    async throws
  {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let index = makeIndex()
      func kept() async throws -> Int {
        try await database.read { try $0.first("SELECT count(*) FROM octet_search_past") { $0[0] } ?? 0 }
      }
      func tidy() async throws { while try await index.step(database) {} }
      try await fill(index, 1...4, database)
      #expect(try await kept() == 0)
      clock.advance(by: .seconds(1))
      try await database.write { writer in
        try index.put(document(1), in: writer)
        // As it is.
        try index.put(document(2, boost: 3), in: writer)
        try index.remove(3, in: writer)
      }
      #expect(try await kept() == 2)
      clock.advance(by: SearchLimits.cursorLifetime)
      try await database.write { try index.remove(4, in: $0) }
      try await tidy()
      #expect(try await kept() == 3)
      clock.advance(by: .seconds(60))
      // One that says there is more keeps merging back, and where documents change all the time some are always due.
      #expect(try await index.forgetPast(database) == false)
      #expect(try await kept() == 1)
      try await tidy()
      #expect(try await kept() == 1)
      while try await index.dropSome(database) {}
      #expect(try await kept() == 0)
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
      let head = Array(cursor.values.prefix(7))
      for rest: [Int64] in [[-1, 1], [2, 1, 1], [1, -1, 1], [1]] {
        #expect(SearchCursor(head + rest.map { .integer($0) }) == nil)
      }
      let group: [SQLValue] = [.integer(0), .integer(1)]
      let groups = { (count: Int) in Array(repeatElement(group, count: count).joined()) }
      #expect(SearchCursor(head + groups(SearchLimits.queryWords))?.groups.count == SearchLimits.queryWords)
      #expect(SearchCursor(head + groups(SearchLimits.queryWords + 1)) == nil)
    }
  }
}
