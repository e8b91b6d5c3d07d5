import Base
import DomainKit
import Refusals
import Testing

@testable import Search
@testable import Storage

/// What domains find in the order of a number, page by page. The number of a book is the length of its title.
@Suite struct OrderTests {
  /// A title of so many characters.
  private func title(_ length: Int) -> String { "lamp " + String(repeating: "x", count: length - 5) }

  /// The ids of all things that a query finds, page by page, from one node after the other.
  /// - Parameter between: what happens after each page.
  private func all(
    _ query: FindableQuery, size: Int, _ library: Library, between: () async throws -> Void = {}
  ) async throws -> [Identifier] {
    var found: [Identifier] = []
    var key: [SQLValue]?
    var turn = 0
    repeat {
      let after = key
      let findables = library.findables(node: turn % library.nodeCount)
      let page = try await library.database.read { try findables.page(query, size: size, after: after, in: $0) }
      turn += 1
      #expect(page.things.count <= size && !page.isEstimated && !page.isCorrected)
      #expect(query.order == .relevance || page.things.allSatisfy { $0.relevance == 0 })
      found += page.things.map(\.id)
      key = page.next
      try await between()
    } while key != nil
    return found
  }

  @Test(arguments: [0, 1200], [1, 7, 100])
  func `the cheapest first, or the dearest, ties by id`(others: Int, size: Int) async throws {
    try await withLibrary { library in
      let lengths = [30, 12, 44, 12, 7, 100, 31, 12, 9]
      var books: [(length: Int, id: Identifier)] = []
      for length in lengths { books.append((length, try await library.put(title(length)))) }
      // Enough that most lie in segments.
      try await library.putMany("chair", others)
      let rising = books.sorted { ($0.length, $0.id) < ($1.length, $1.id) }.map(\.id)
      let falling = books.sorted { ($1.length, $0.id) < ($0.length, $1.id) }.map(\.id)
      #expect(try await all(FindableQuery("book", "lamp", order: .rising(0)), size: size, library) == rising)
      #expect(try await all(FindableQuery("book", "lamp", order: .falling(0)), size: size, library) == falling)
      // By tags alone, within a range, and by words that are misspelt.
      let tagged = FindableQuery("book", "", tags: ["letter/l"], order: .rising(0))
      #expect(try await all(tagged, size: size, library) == rising)
      let narrow = FindableQuery("book", "lamp", ranges: [0: 10...31], order: .falling(0))
      let within = books.filter { (10...31).contains($0.length) }.map(\.id)
      #expect(try await all(narrow, size: size, library) == falling.filter(within.contains))
      // Nobody has a second number.
      let byID = books.map(\.id).sorted()
      #expect(try await all(FindableQuery("book", "lamp", order: .rising(1)), size: size, library) == byID)
    }
  }

  @Test(arguments: [1, 2])
  func `pages repeat and miss nothing, whatever changes, also when other nodes make them`(nodes: Int) async throws {
    try await withLibrary(nodes: nodes) { library in
      var books: [Identifier] = []
      for length in 10..<40 { books.append(try await library.put(title(length))) }
      let (victim, changed) = (books[17], books[20])
      let turn = Locked(0)
      let found = try await all(FindableQuery("book", "lamp", order: .rising(0)), size: 7, library) {
        library.clock.advance(by: SearchLimits.clockDifference + .milliseconds(1))
        let round = turn.withLock { turn in
          defer { turn += 1 }
          return turn
        }
        if round == 0 {
          try await library.remove(victim)
          try await library.put(title(55), id: changed)
        }
        // Before what was shown and behind it.
        try await library.put(title(6))
        try await library.put(title(60 + round))
      }
      #expect(found == books.filter { $0 != victim })
    }
  }

  @Test func `what is no place in this order is refused`() async throws {
    try await withLibrary { library in
      for length in 10..<20 { try await library.put(title(length)) }
      let findables = library.kit.findables
      let cheap = FindableQuery("book", "lamp", order: .rising(0))
      let dear = FindableQuery("book", "lamp", order: .falling(0))
      try await library.database.read { (reader: any Reader) throws in
        let key = try findables.page(cheap, size: 3, after: nil, in: reader).next
        #expect(throws: FindingError.self) { try findables.page(dear, size: 3, after: key, in: reader) }
        #expect(throws: FindingError.self) { try findables.page(cheap, size: 3, after: [.integer(7)], in: reader) }
        let nowhere = FindableQuery("book", "lamp", order: .rising(FindableEntry.numberLimit))
        #expect(throws: FindingError.self) { try findables.page(nowhere, size: 3, after: nil, in: reader) }
        #expect(try findables.find(dear, limit: 4, in: reader).count == 4)
        #expect(FindableQuery.pageLimit == SearchLimits.pageSize)
      }
    }
  }
}
