import Base
import Foundation
import Testing

@testable import Storage

/// Documents are sealed into segments, and these are merged: nobody notices.
@Suite struct SearchSegmentConformance {
  private let clock = ManualClock()

  /// An index whose segments begin with six documents, three of a size become one. Lists are long early, and documents
  /// are looked up in them early.
  private func makeIndex(seed: UInt64 = 1) -> SearchIndex {
    var shape = SearchIndex.Shape()
    (shape.sealedDocuments, shape.termsBetweenChecks, shape.mergedSegments) = (6, 1, 3)
    (shape.longList, shape.bestPostings, shape.postingsForLookUp) = (4, 3, 2)
    return SearchIndex(
      "things", fields: ["title": 3, "text": 1], clock: clock, random: SeededRandomSource(seed: seed), shape: shape)
  }

  private let words = (0..<30).map { "w\($0)x" }

  private func document(_ id: Int64, _ random: any RandomSource) -> SearchDocument {
    // The product of two uniform numbers: some words are frequent.
    let text = (0...random.below(12)).map { _ in words[Int(random.below(random.below(30) + 1))] }
    return SearchDocument(
      id: id, texts: ["text": text.joined(separator: " "), "title": words[Int(random.below(30))]],
      tags: ["t\(random.below(3))", "all"], numbers: [Int64(random.below(10))],
      boost: [0.5, 1, 2][Int(random.below(3))])
  }

  /// All hits of a query, page by page.
  private func all(
    _ index: SearchIndex, _ query: SearchQuery, pageSize: Int, _ database: any Database
  ) async throws -> [SearchHit] {
    var hits: [SearchHit] = []
    var cursor: SearchCursor?
    repeat {
      let now = cursor
      let page = try await database.read { try index.search(query, pageSize: pageSize, after: now, in: $0) }
      hits += page.hits
      // As a page token carries it.
      cursor = page.next.flatMap { SearchCursor($0.values) }
    } while cursor != nil
    return hits
  }

  /// What the index itself takes words for: dead documents count until a merge.
  private func weights(_ index: SearchIndex, _ database: any Database) async throws -> [String: Int64] {
    try await database.read { [words] reader in
      let source = try SearchSource(index, reader)
      try source.open(words.map { index.wordKey($0) }, reader)
      let pairs = words.map {
        ($0, SearchIndex.weight(frequencies: [source.frequency(index.wordKey($0))], of: source.documents))
      }
      return Dictionary(uniqueKeysWithValues: pairs)
    }
  }

  private func count(_ table: String, _ database: any Database) async throws -> Int {
    try await database.read { try $0.first("SELECT count(*) FROM octet_search_\(table)") { $0[0] } ?? 0 }
  }

  @Test(arguments: Engine.all, [false, true]) func `random changes and queries agree with a naive search`(
    engine: Engine, hasSegments: Bool
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index =
        hasSegments
        ? makeIndex()
        : SearchIndex(
          "things", fields: ["title": 3, "text": 1], clock: clock, random: SeededRandomSource(seed: 1))
      let random = SeededRandomSource(seed: 42)
      var model: [Int64: SearchDocument] = [:]
      for round in 0..<80 {
        var (removed, added): ([Int64], [SearchDocument]) = ([], [])
        for _ in 0..<5 {
          let id = Int64(random.below(100)) - 20
          if random.below(5) > 0 { added.append(document(id, random)) } else { removed.append(id) }
        }
        // Now and then so many that they are a segment at once; some come twice, and the last one counts.
        if random.below(4) == 0 { added += (0..<8).map { _ in document(Int64(random.below(100)) - 20, random) } }
        for id in removed { model[id] = nil }
        for document in added { model[document.id] = document }
        let (gone, put, isBatch) = (removed, added, random.below(2) == 0)
        try await database.write { writer in
          for id in gone { try index.remove(id, in: writer) }
          if isBatch { return try index.put(put, in: writer) }
          for document in put { try index.put(document, in: writer) }
        }
        clock.advance(by: .seconds(20))
        for _ in 0..<random.below(12) { _ = try await index.step(database) }
        let text = (0...random.below(2)).map { _ in words[Int(random.below(random.below(30) + 1))] }
        var query = SearchQuery(
          round % 10 == 0 ? "" : text.joined(separator: " "), tags: random.below(2) == 0 ? ["all"] : ["t0", "all"],
          ranges: random.below(2) == 0 ? [:] : [0: 2...8])
        var naive = NaiveSearch(documents: Array(model.values))
        if hasSegments { naive.weights = try await weights(index, database) }
        var expected = naive.run(round % 10 == 0 ? [] : text, query)
        if round % 10 == 0 {
          // By boost, of which a tag's impact is made.
          expected = expected.map { SearchHit(id: $0.id, score: Int64((model[$0.id]?.boost ?? 0) * 1000)) }
            .sorted(by: SearchTop.isBefore)
        }
        let found = try await all(index, query, pageSize: 7, database)
        #expect(found == expected, "seed 42, round \(round): \(query)")
        query.facets = ["t0", "t1"]
        let counted = query
        let page = try await database.read { try index.search(counted, pageSize: 1, in: $0) }
        #expect(page.facets == naive.counts(expected, query.facets) && page.isComplete, "seed 42, round \(round)")
        for order in [SearchOrder.rising(0), .falling(0), .rising(1)] {
          var ordered = query
          ordered.order = order
          if random.below(2) == 0 { ordered.facets = [] }
          let sorted = expected.map { hit in
            let numbers = model[hit.id]?.numbers ?? []
            return SearchHit(id: hit.id, score: order.score(of: order.position == 0 ? numbers.first : nil))
          }.sorted(by: SearchTop.isBefore)
          #expect(try await all(index, ordered, pageSize: 7, database) == sorted, "seed 42, round \(round): \(ordered)")
        }
      }
      #expect(try await count("segments", database) > 0 || !hasSegments)
    }
  }

  @Test(arguments: Engine.all) func `a query meets few segments of each size when all are merged that can be`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      var shape = SearchIndex.Shape()
      shape.sealedDocuments = 4
      let index = SearchIndex(
        "things", fields: ["text": 1], clock: clock, random: SeededRandomSource(seed: 1), shape: shape)
      for batch in 0..<63 as Range<Int64> {
        let documents = (0..<4).map { SearchDocument(id: 4 * batch + $0, texts: ["text": "lamp"]) }
        try await database.write { try index.put(documents, in: $0) }
        clock.advance(by: .seconds(1))
      }
      while try await index.step(database) {}
      let sizes: [Int] = try await database.read {
        try $0.rows("SELECT documents FROM octet_search_segments WHERE state = 1 ORDER BY documents") { $0[0] }
      }
      #expect(sizes == [4, 4, 4, 4, 4, 4, 4, 32, 32, 32, 32, 32, 32, 32])
      #expect(sizes.count == 2 * (SearchLimits.mergedSegments - 1))
      let hits = try await database.read { try index.search(SearchQuery("lamp"), pageSize: 500, in: $0).hits }
      #expect(hits.map(\.id) == Array(0..<252))
    }
  }

  @Test(arguments: Engine.all) func `few documents are looked up in long lists and columns`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let random = SeededRandomSource(seed: 44)
      let documents = (0..<6000).map { id in
        // Lists of several parts, which are not uniform.
        let often = String(repeating: "often ", count: 1 + Int(random.below(9)))
        let seldom = random.below(700) == 0 ? "seldom" : "usual"
        return SearchDocument(
          id: Int64(id), texts: ["text": often + seldom], tags: ["all", random.below(3) == 0 ? "third" : "other"],
          numbers: [Int64(random.below(1 << 40))])
      }
      try await database.write { try self.makeIndex().put(documents, in: $0) }
      #expect(try await count("segments", database) == 1)
      let parts: Int? = try await database.read { reader in
        try reader.first(
          "SELECT count(*) FROM octet_search_blocks WHERE term = $1 AND part >= 0", makeIndex().wordKey("often")
        ) { $0[0] }
      }
      #expect((parts ?? 0) > 8)
      var shape = SearchIndex.Shape()
      var answers: [[SearchHit]] = []
      // Always, sometimes and never.
      for postings in [0, 100, SearchLimits.postingsForLookUp] {
        shape.postingsForLookUp = postings
        let index = SearchIndex(
          "things", fields: ["title": 3, "text": 1], clock: clock, random: SeededRandomSource(seed: 1), shape: shape)
        let query = SearchQuery(
          "seldom often", tags: ["all", "third"], ranges: [0: 1 << 38...1 << 40], facets: ["other"])
        let page = try await database.read { try index.search(query, pageSize: 500, in: $0) }
        #expect(page.isComplete && page.facets == [:])
        answers.append(page.hits)
      }
      let expected = documents.filter { document in
        document.texts["text"]?.hasSuffix("seldom") == true && document.tags[1] == "third"
          && document.numbers[0] >= 1 << 38
      }
      #expect(!expected.isEmpty && Set(answers[0].map(\.id)) == Set(expected.map(\.id)), "seed 44")
      #expect(answers.allSatisfy { $0 == answers[0] }, "seed 44")
    }
  }

  @Test(arguments: Engine.all) func `the best of long lists are the best of all, where they suffice`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      var shape = SearchIndex.Shape()
      (shape.sealedDocuments, shape.termsBetweenChecks, shape.mergedSegments) = (40, 1, 3)
      (shape.longList, shape.bestPostings, shape.hits) = (10, 6, 5)
      func index() -> SearchIndex {
        SearchIndex(
          "things", fields: ["title": 3, "text": 1], clock: clock, random: SeededRandomSource(seed: 3), shape: shape)
      }
      let short = index()
      shape.longList = .max
      let whole = index()
      let random = SeededRandomSource(seed: 43)
      var (sufficed, didNot) = (0, 0)
      for round in 0..<12 {
        let batch = (0..<40).map { _ in document(Int64(random.below(400)), random) }
        try await database.write { writer in
          for document in batch { try short.put(document, in: writer) }
          for _ in 0..<3 { try short.remove(Int64(random.below(400)), in: writer) }
        }
        for _ in 0..<random.below(12) { _ = try await short.step(database) }
        for word in words + ["w", "w1", "w2"] {
          let query = SearchQuery(word, tags: ["all"], completesLastWord: word.utf8.count < 3)
          let best = try await database.read { try short.search(query, pageSize: 5, in: $0).hits }
          let expected = try await database.read { try whole.search(query, pageSize: 5, in: $0).hits }
          #expect(best == expected, "seed 43, round \(round): \(word)")
        }
        let counts = try await database.read { [words] reader in
          try words.map { word in
            let source = try SearchSource(short, reader)
            try source.open([short.wordKey(word)], reader)
            var scan = SearchScan(
              source: source, groups: [SearchScan.Group(keys: [short.wordKey(word)], weight: 7)], tags: [], ranges: [:],
              facets: [], order: .relevance, after: nil, limit: 5)
            try scan.run(budget: .max, reader)
            return scan.isFromBest ? 1 : 0
          }
        }
        sufficed += counts.reduce(0, +)
        didNot += counts.count - counts.reduce(0, +)
      }
      #expect(sufficed > 0 && didNot > 0)
    }
  }

  @Test(arguments: Engine.all) func `writers, merges and readers side by side lose and double nothing`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let indexes = (0..<4).map { makeIndex(seed: UInt64($0)) }
      let isDone = Locked(false)
      let models = try await withThrowingTaskGroup(of: [Int64: String].self) { group in
        // Each writer has documents of its own, through an index of its own, as nodes have.
        for (number, index) in indexes.enumerated() {
          group.addTask { [words] in
            let random = SeededRandomSource(seed: UInt64(100 + number))
            var model: [Int64: String] = [:]
            for _ in 0..<60 {
              let id = Int64(random.below(40)) * 4 + Int64(number)
              let word = random.below(4) == 0 ? nil : words[Int(random.below(30))]
              try await database.write { writer in
                if let word {
                  try index.put(SearchDocument(id: id, texts: ["text": "lamp \(word)"], tags: ["all"]), in: writer)
                } else {
                  try index.remove(id, in: writer)
                }
              }
              model[id] = word
              if random.below(3) == 0 { _ = try await index.step(database) }
            }
            return model
          }
        }
        let reading = Task {
          while !isDone.withLock({ $0 }) {
            let hits = try await database.read { reader in
              try indexes[0].search(SearchQuery("lamp"), pageSize: 500, in: reader).hits
            }
            #expect(Set(hits.map(\.id)).count == hits.count)
          }
        }
        var all: [Int64: String] = [:]
        for try await model in group { all.merge(model) { $1 } }
        isDone.withLock { $0 = true }
        try await reading.value
        return all
      }
      for _ in 0..<2 {
        clock.advance(by: .seconds(700))
        while try await indexes[0].step(database) {}
        let hits = try await all(indexes[0], SearchQuery("lamp", tags: ["all"]), pageSize: 500, database)
        #expect(hits.map(\.id).sorted() == models.keys.sorted())
        for word in words {
          let found = try await all(indexes[1], SearchQuery(word), pageSize: 500, database).map(\.id)
          #expect(Set(found) == Set(models.filter { $0.value == word }.keys), "\(word)")
        }
      }
      let live: Int? = try await database.read {
        try $0.first("SELECT count(*) FROM octet_search_segments WHERE state <> 1") { $0[0] }
      }
      #expect(live == 0, "what was replaced is gone")
    }
  }

  @Test(arguments: Engine.all) func `what changes during a merge stays so, and a node that stops holds up nobody`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations, clock: clock) { database in
      let (index, other) = (makeIndex(), makeIndex(seed: 2))
      for start in stride(from: Int64(0), to: 18, by: 6) {
        try await database.write { writer in
          for id in start..<(start + 6) {
            let text = "lamp a b c d e f g h i"
            try index.put(SearchDocument(id: id, texts: ["text": text], numbers: [id]), in: writer)
          }
        }
      }
      #expect(try await count("segments", database) == 3)
      #expect(try await count("fresh", database) == 0)
      #expect(try await index.step(database))
      #expect(try await count("segments", database) == 4, "one in the making")
      try await database.write { writer in
        try index.remove(3, in: writer)
        try other.put(SearchDocument(id: 7, texts: ["text": "chair"]), in: writer)
      }
      let left = (0..<18 as Range<Int64>).filter { $0 != 3 && $0 != 7 }
      func check() async throws {
        for index in [index, other] {
          let found = try await all(index, SearchQuery("lamp", ranges: [0: 0...99]), pageSize: 5, database)
          #expect(found.map(\.id) == left)
          #expect(try await all(index, SearchQuery("chair"), pageSize: 5, database).map(\.id) == [7])
        }
      }
      try await check()
      #expect(try await !other.step(database), "what another node has taken is left to it")
      clock.advance(by: .seconds(601))
      while try await other.step(database) {}
      try await check()
      #expect(try await index.step(database), "goes on, and finds its merge given up")
      try await check()
      clock.advance(by: .seconds(61))
      while try await index.step(database) {}
      #expect(try await count("segments", database) == 1)
      try await check()
      try await database.write { writer in for id in left { try index.remove(id, in: writer) } }
      while try await index.step(database) {}
      clock.advance(by: .seconds(61))
      while try await index.step(database) {}
      #expect(try await count("segments", database) == 0, "nothing is left of a segment whose documents are dead")
      #expect(try await count("blocks", database) == 0)
      #expect(try await count("dead", database) == 0)
    }
  }
}
