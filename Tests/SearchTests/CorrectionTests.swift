import Base
import DomainKit
import RPC
import Refusals
import SearchAPI
import Testing

@testable import Search
@testable import Storage

/// What is found of words that are misspelt, and what domains find for themselves.
@Suite struct CorrectionTests {
  @Test func `a misspelt word is found: none wrong up to 4 letters, one up to 8, two beyond, the first one twice`()
    async throws
  {
    try await withLibrary { library in
      for title in ["Red lamp", "Green bottle", "Yellow encyclopedia", "Blue bottle"] { try await library.put(title) }
      let found = [
        "botle": ["Blue bottle", "Green bottle"], "green bottel": ["Green bottle"],
        "bittle": ["Blue bottle", "Green bottle"],
        "pottle": [], "lamb": [], "lap": [], "encyclopdia": ["Yellow encyclopedia"],
        "encclopdia": ["Yellow encyclopedia"], "ncyclopedia": ["Yellow encyclopedia"], "encclopda": [],
        "rde bottle": [], "bottle": ["Blue bottle", "Green bottle"],
      ]
      for (text, titles) in found {
        #expect(try await library.titles(text).sorted() == titles, "\(text)")
      }
      var request = SearchRequest()
      request.text = "botle"
      #expect(try await library.client().search(request).corrected)
      for text in ["bottle", "pottle", "lamb"] {
        request.text = text
        #expect(try await !library.client().search(request).corrected, "\(text)")
      }
      (request.text, request.tags) = ("", ["letter/none"])
      #expect(try await !library.client().search(request).corrected)
      request.tags = []
      // What has the word as it is, is all that there is.
      try await library.put("A botle")
      #expect(try await library.titles("botle") == ["A botle"])
      // Names of people are corrected for nobody.
      try await library.put("Bartholomew", isPersonal: true)
      #expect(try await library.titles("Bartholomev").isEmpty)
    }
  }

  @Test func `the pages of a corrected search go on as it began, also on another node`() async throws {
    try await withLibrary(nodes: 2) { library in
      for number in 0..<30 { try await library.put("Bottle \(number)") }
      var request = SearchRequest()
      (request.text, request.pageSize) = ("botle", 20)
      let first = try await library.client().search(request)
      #expect(first.hits.count == 20 && first.corrected)
      request.pageToken = first.nextPageToken
      let second = try await library.client().search(request)
      #expect(second.hits.count == 10 && second.corrected && second.nextPageToken.isEmpty)
      library.clock.advance(by: .seconds(1))
      // Now something has the word as it is; this search goes on with those that it began with.
      try await library.put("A botle")
      #expect(try await library.client(node: 1).search(request) == second)
    }
  }

  @Test func `a query of more than SearchLimits.correctedWords is taken as it stands`() async throws {
    try await withLibrary { library in
      try await library.put("Green bottle with yellow flowers inside")
      let right = ["green", "with", "yellow", "flowers"]
      #expect(right.count == SearchLimits.correctedWords)
      #expect(try await library.titles((right.dropLast() + ["botle"]).joined(separator: " ")).count == 1)
      #expect(try await library.titles((right + ["botle"]).joined(separator: " ")).isEmpty)
    }
  }

  @Test func `limits: SearchLimits.corrections, and not all that a beginning may mean is estimated`() async throws {
    try await withLibrary { library in
      // Each by one letter in the place of the last but one.
      let letters = "abcdefghijklmnopqrstuvwx"
      for letter in letters { try await library.put("lampsho\(letter)e") }
      var request = SearchRequest()
      (request.text, request.pageSize) = ("lampshoze", 100)
      let found = try await library.client().search(request)
      #expect(found.hits.count == SearchLimits.corrections && found.corrected)
      (request.text, request.completesLastWord) = ("lampsh", true)
      request.countedTags = ["letter/l"]
      let page = try await library.client().search(request)
      #expect(page.estimated && page.counts.allSatisfy { $0.count >= 16 })
      request.text = "lampshoa"
      #expect(try await !library.client().search(request).estimated)
    }
  }

  /// Counts the statements that ask for a table.
  private struct CountingReader: Reader {
    let reader: any Reader
    let table: String
    let count: Locked<Int>

    var dialect: SQLDialect { reader.dialect }

    func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws {
      if sql.contains(table) { count.withLock { $0 += 1 } }
      try reader.forEachRow(sql, arguments, row)
    }
  }

  @Test func `what a word may have been meant to be is asked for by few statements`() async throws {
    try await withLibrary { library in
      for letter in "abcdefghijklmnopqrstuvwx" { try await library.put("lampsho\(letter)e") }
      let findables = library.kit.findables
      try await library.database.read { (reader: any Reader) throws in
        // Of words with the same beginning, and four of those with others.
        for (table, most) in [("octet_search_typos", 5), ("octet_search_words", 2)] {
          let counting = CountingReader(reader: reader, table: table, count: Locked(0))
          let found = try findables.find(FindableQuery("book", "lampshoze"), limit: 100, in: counting)
          #expect(found.count == SearchLimits.corrections)
          let count = counting.count.withLock { $0 }
          #expect(count > 0 && count <= most, "\(table): \(count)")
        }
      }
    }
  }

  @Test func `a domain finds its own things, with their relevance, by ranges of numbers, and ranks them itself`()
    async throws
  {
    try await withLibrary { library in
      let short = try await library.put("Lamp")
      let long = try await library.put("Lamp of the long night, and of the day")
      let middle = try await library.put("A lamp of glass")
      try await library.put("Chair")
      let findables = library.kit.findables
      try await library.database.read { (reader: any Reader) throws in
        let found = try findables.find(FindableQuery("book", "lamp"), limit: 10, in: reader)
        #expect(found.map(\.id) == [short, middle, long])
        #expect(found.allSatisfy { $0.relevance > 0 } && found[0].relevance > found[2].relevance)
        #expect(try findables.find(FindableQuery("book", "lamp"), limit: 2, in: reader).map(\.id) == [short, middle])
        let narrow = FindableQuery("book", "lamp", ranges: [0: 5...20])
        #expect(try findables.find(narrow, limit: 10, in: reader).map(\.id) == [middle])
        #expect(try findables.find(FindableQuery("book", "", tags: ["letter/c"]), limit: 10, in: reader).count == 1)
        #expect(try findables.find(FindableQuery("ride", "lamp"), limit: 10, in: reader).isEmpty)
        #expect(throws: FindingError.self) { try findables.find(FindableQuery("book", " - "), limit: 1, in: reader) }
        #expect(FindableEntry.numberLimit == SearchLimits.documentNumbers)
      }
      #expect(try await library.violations.isEmpty)
    }
  }
}
