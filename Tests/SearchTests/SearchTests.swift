import Base
import DomainKit
import RPC
import Refusals
import SearchAPI
import Testing

@testable import Search
@testable import Storage

@Suite struct SearchTests {
  private func search(_ text: String, pageSize: Int32 = 0, token: String = "") -> SearchRequest {
    var request = SearchRequest()
    (request.text, request.pageSize, request.pageToken) = (text, pageSize, token)
    return request
  }

  private func reindex(_ library: Library, _ id: String = newRequestID()) async throws -> IndexState {
    var request = ReindexRequest()
    request.requestID = id
    return try await library.client(Library.staff).reindex(request)
  }

  /// Also invariant 12 of video.
  @Test func `invariant 7: a thing is found from the commit that shows it on, until the commit that hides it`()
    async throws
  {
    try await withLibrary { library in
      let book = try await library.put("Red Shoes")
      #expect(try await library.titles("shoes red") == ["Red Shoes"])
      #expect(try await library.titles("shoes", by: nil) == ["Red Shoes"])
      try await library.put("Red Shoes", state: 1, id: book)
      #expect(try await library.titles("shoes").isEmpty)
      try await library.put("Blue Boots", id: book)
      #expect(try await library.titles("shoes").isEmpty)
      #expect(try await library.titles("boots") == ["Blue Boots"])
      try await library.remove(book)
      #expect(try await library.titles("boots").isEmpty)
      #expect(try await library.violations.isEmpty)
    }
  }

  @Test func `hits are judged when they are shown, and others take the place of those that are not`() async throws {
    try await withLibrary { library in
      for number in 0..<60 { try await library.put("Lamp \(number)", state: number % 2 == 0 ? 2 : 0) }
      let page = try await library.client().search(search("lamp", pageSize: 20))
      #expect(page.hits.count >= 15)
      #expect(try await library.titles("lamp", pageSize: 7).count == 30)
      #expect(try await library.titles("lamp", pageSize: 7, by: Library.staff).count == 60)
    }
  }

  @Test(arguments: [1, 2])
  func `acceptance 12: 500 commits between two pages repeat no hit, miss none and show nothing hidden`(nodes: Int)
    async throws
  {
    try await withLibrary(nodes: nodes) { library in
      var books: [Identifier] = []
      for number in 0..<60 { books.append(try await library.put("Lamp \(number)")) }
      library.clock.advance(by: .seconds(1))
      let first = try await library.client().search(search("lamp", pageSize: 20))
      library.clock.advance(by: .seconds(1))
      let shown = Set(first.hits.map(\.title))
      let others = (0..<60).filter { !shown.contains("Lamp \($0)") }
      let (hidden, changed) = (Set(others.prefix(10)), Set(others.suffix(15)))
      for number in hidden { try await library.put("Lamp \(number)", state: 1, id: books[number]) }
      // Shown with the words that they have now, in the place that they had: also one that was away meanwhile.
      for number in changed {
        if number.isMultiple(of: 2) { try await library.put("", state: 1, id: books[number]) }
        try await library.put("Lamp \(number) once more, with ever more words", id: books[number])
      }
      for number in 0..<470 { try await library.put("Lamp of others \(number)") }
      var titles = first.hits.map(\.title)
      var (token, turn) = (first.nextPageToken, 1)
      while !token.isEmpty {
        let client = library.client(node: turn % nodes)
        let page = try await client.search(search("lamp", pageSize: 9, token: token))
        titles += page.hits.map(\.title)
        (token, turn) = (page.nextPageToken, turn + 1)
      }
      let kept = (0..<60).filter { !hidden.contains($0) }
      let expected = kept.map { changed.contains($0) ? "Lamp \($0) once more, with ever more words" : "Lamp \($0)" }
      #expect(titles.sorted() == expected.sorted())
    }
  }

  @Test func `a search whose first page is ten minutes old is to begin anew`() async throws {
    try await withLibrary { library in
      for number in 0..<30 { try await library.put("Lamp \(number)") }
      let first = try await library.client().search(search("lamp", pageSize: 10))
      let next = search("lamp", pageSize: 10, token: first.nextPageToken)
      library.clock.advance(by: .seconds(599))
      let second = try await library.client().search(next)
      #expect(second.hits.count == 10)
      library.clock.advance(by: .seconds(1))
      await expectRefusal(.outOfRange, "PAGE_EXPIRED") { try await library.client().search(next) }
      // Of the first page, not of the last one.
      let third = search("lamp", pageSize: 10, token: second.nextPageToken)
      await expectRefusal(.outOfRange, "PAGE_EXPIRED") { try await library.client().search(third) }
    }
  }

  @Test func `hits are narrowed by kind and tags, and counted by tags`() async throws {
    try await withLibrary { library in
      for title in ["A lamp", "B lamp", "A chair lamp"] { try await library.put(title) }
      var request = search("lamp")
      (request.kind, request.countedTags) = ("book", ["letter/a", "letter/b", "letter/c"])
      let all = try await library.client().search(request)
      #expect(all.hits.count == 3 && all.counts.map(\.count) == [2, 1, 0] && !all.estimated)
      request.tags = ["letter/b"]
      #expect(try await library.client().search(request).hits.map(\.title) == ["B lamp"])
      request.kind = "ride"
      #expect(try await library.client().search(request).hits.isEmpty)
      var listing = SearchRequest()
      listing.kind = "book"
      #expect(try await library.client().search(listing).hits.count == 3)
    }
  }

  @Test func `tags are counted on the first page, whose token is good with them and without`() async throws {
    try await withLibrary { library in
      for number in 0..<5 { try await library.put("A lamp \(number)") }
      var request = search("lamp", pageSize: 3)
      request.countedTags = ["letter/a"]
      let first = try await library.client().search(request)
      #expect(first.hits.count == 3 && first.counts.map(\.count) == [5])
      request.pageToken = first.nextPageToken
      let second = try await library.client().search(request)
      #expect(second.hits.count == 2 && second.counts.isEmpty)
      request.countedTags = []
      #expect(try await library.client().search(request) == second)
      request.tags = ["letter/a"]
      await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") { [request] in
        try await library.client().search(request)
      }
    }
  }

  @Test func `refuses what cannot be looked for`() async throws {
    try await withLibrary { library in
      for request in [SearchRequest(), search(" - "), search(Array(repeating: "w", count: 20).joined(separator: " "))] {
        await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await library.client().search(request) }
      }
      await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
        try await library.client().search(search("lamp", token: "nonsense"))
      }
      var nothing = SuggestRequest()
      nothing.text = " - "
      await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await library.client().suggest(nothing) }
    }
  }

  @Test func `words are suggested, names of people are found and completed but not suggested, and leave nothing`()
    async throws
  {
    try await withLibrary { library in
      try await library.put("Wonderful lamps")
      let person = try await library.put("Bartholomew Quux", isPersonal: true)
      var request = SuggestRequest()
      request.text = "wonderfl"
      #expect(try await library.client().suggest(request).suggestions.map(\.word) == ["wonderful"])
      request.text = "barth"
      #expect(try await library.client().suggest(request).suggestions.isEmpty)
      #expect(try await library.titles("quux bartholomew") == ["Bartholomew Quux"])
      #expect(try await library.titles("qu", completing: true) == ["Bartholomew Quux"])
      #expect(try await library.titles("qu").isEmpty)
      try await library.remove(person)
      let left = try await library.database.read { reader in
        try ["words", "new_words", "prefixes", "typos"].reduce(0) { sum, table in
          let sql = "SELECT count(*) FROM octet_search_\(table) WHERE word LIKE 'bart%' OR word LIKE 'quux%'"
          return try sum + (reader.first(sql) { $0[0] } ?? 0)
        }
      }
      #expect(left == 0)
      #expect(
        try await library.database.read { try $0.exists("SELECT 1 FROM search_rows WHERE title LIKE 'Bart%'") } == false
      )
    }
  }

  @Test func `a new index is searched when it is whole, and nothing of the old one is left`() async throws {
    try await withLibrary { library in
      var books: [Identifier] = []
      for number in 0..<(Rebuild.atOnce + 10) { books.append(try await library.put("Lamp \(number)")) }
      let page = try await library.client().search(search("lamp", pageSize: 10))
      let before = try await library.client(Library.staff).getIndexState(GetIndexStateRequest())
      let id = newRequestID()
      let begun = try await reindex(library, id)
      #expect(begun.generation == before.generation && begun.rebuild?.generation == before.generation + 1)
      await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await reindex(library) }
      // A part is in the new index; changes go into both, in front of what was looked at and behind.
      try await library.timers.runDue()
      for number in [0, Rebuild.atOnce + 5] { try await library.put("Torch \(number)", id: books[number]) }
      try await library.remove(books[1])
      #expect(try await library.titles("torch").count == 2)
      try await library.work()
      let after = try await library.client(Library.staff).getIndexState(GetIndexStateRequest())
      #expect(after.generation == before.generation + 1 && after.rebuild == nil)
      #expect(try await library.titles("torch").count == 2)
      #expect(try await library.titles("lamp", pageSize: 100).count == books.count - 3)
      await expectRefusal(.outOfRange, "PAGE_EXPIRED") {
        try await library.client().search(search("lamp", pageSize: 10, token: page.nextPageToken))
      }
      #expect(try await reindex(library, id) == begun)
      #expect(try await library.violations.isEmpty)
      try await library.sweep()
      #expect(try await library.count("search_generations") == 1)
      #expect(try await library.count("search_rows") == books.count - 1)
      #expect(try await library.count("octet_search_documents") == books.count - 1)
      // What is left belongs to the one index that is searched.
      for table in ["words", "new_words", "fresh", "segments"] {
        let owners: Int? = try await library.database.read {
          try $0.first("SELECT count(DISTINCT collection) FROM octet_search_\(table)") { $0[0] }
        }
        #expect(owners ?? 0 <= 1)
      }
      #expect(try await library.titles("torch").count == 2)
      #expect(try await library.violations.isEmpty)
    }
  }

  @Test func `what somebody was called goes with the person, also out of an index that waits to be removed`()
    async throws
  {
    try await withLibrary { library in
      try await library.sweep()
      let person = try await library.put("Bartholomew Quux", isPersonal: true)
      _ = try await reindex(library)
      try await library.work()
      #expect(try await library.count("search_rows WHERE title LIKE 'Bart%'") == 2)
      try await library.remove(person)
      #expect(try await library.count("search_generations") == 2)
      #expect(try await library.count("search_rows WHERE title LIKE 'Bart%'") == 0)
      try await library.sweep()
      #expect(try await library.count("search_generations") == 1)
    }
  }

  @Test func `a new index is not searched before its segments are merged`() async throws {
    try await withLibrary { library in
      try await library.put("Lamp")
      let begun = try await reindex(library)
      let collection = library.search.core.index(begun.generation + 1).collection
      // As if tens of thousands of things had come, a thousand to a segment.
      try await library.database.write { writer in
        for segment in 1...65 {
          try writer.execute(
            """
            INSERT INTO octet_search_segments
              (segment, collection, state, documents, lowest, highest, target, changed_at)
            VALUES ($1, $2, 1, 0, 0, 0, 0, 0)
            """, segment, collection)
        }
      }
      try await library.work()
      let client = library.client(Library.staff)
      #expect(try await client.getIndexState(GetIndexStateRequest()).rebuild != nil)
      // Large ones stay as they are, and hold nothing up.
      try await library.database.write { try $0.execute("UPDATE octet_search_segments SET documents = 262144") }
      library.clock.advance(by: .seconds(1))
      try await library.work()
      let state = try await client.getIndexState(GetIndexStateRequest())
      #expect(state.rebuild == nil && state.generation == begun.generation + 1)
      #expect(try await library.titles("lamp") == ["Lamp"])
    }
  }

  @Test func `a server that has more kinds of things than its index builds it anew when it starts`() async throws {
    try await withLibrary(isCatalogued: false) { library in
      try await library.start()
      try await library.put("Lamp")
      #expect(try await library.titles("lamp").isEmpty)
      try await library.catalogue()
      #expect(try await library.titles("lamp") == ["Lamp"])
      let state = try await library.client(Library.staff).getIndexState(GetIndexStateRequest())
      try await library.start()
      #expect(try await library.client(Library.staff).getIndexState(GetIndexStateRequest()) == state)
      #expect(state.documents == 1 && state.generation == 2)
    }
  }

  @Test
  func `invariant 11: changes of one thing by many at once, while the index is built anew, leave what the rows say`()
    async throws
  {
    try await withLibrary { library in
      var books: [Identifier] = []
      for number in 0..<40 { books.append(try await library.put("Lamp \(number)")) }
      _ = try await reindex(library)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<8 {
          group.addTask { [books] in
            for step in 0..<20 {
              let book = books[(worker + step * 3) % 10]
              try await library.put("Torch \(worker) \(step)", state: (worker + step) % 3 == 0 ? 1 : 0, id: book)
            }
          }
        }
        group.addTask { for _ in 0..<20 { _ = try await library.timers.runDue() } }
        try await group.waitForAll()
      }
      #expect(try await library.violations.isEmpty)
      try await library.work()
      #expect(try await library.violations.isEmpty)
      let state = try await library.client(Library.staff).getIndexState(GetIndexStateRequest())
      #expect(state.rebuild == nil && state.generation > 1)
    }
  }

  @Test(arguments: [
    "UPDATE test_books SET title = 'Torch'", "DELETE FROM test_books", "UPDATE search_rows SET digest = $1",
    "DELETE FROM octet_search_documents", "UPDATE octet_search_documents SET entry = $1",
  ])
  func `invariant 11: the audit finds what does not fit`(damage: String) async throws {
    try await withLibrary { library in
      let book = try await library.put("Lamp")
      #expect(try await library.violations.isEmpty)
      try await library.database.write { writer in
        _ = try writer.execute(damage, damage.contains("$1") ? [.blob([0, 0])] : [])
      }
      #expect(try await library.violations == [book.text(kind: "book")])
    }
  }

  @Test func `invariant 11: the audit finds what is in the index alone`() async throws {
    try await withLibrary { library in
      let books = [try await library.put("Lamp"), try await library.put("Torch")]
      _ = try await library.database.write { writer in
        for table in ["search_rows WHERE document", "test_books WHERE id"] {
          try writer.execute("DELETE FROM \(table) = $1", books[0])
        }
      }
      #expect(try await library.violations == [books[0].text(kind: "document")])
    }
  }

  @Test func `only staff builds the index anew`() async throws {
    try await withLibrary { library in
      var request = ReindexRequest()
      request.requestID = newRequestID()
      await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await library.client().reindex(request) }
    }
  }

  @Test func `the error table is as documented`() {
    #expect(
      FindingError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" } == [
        "PAGE_EXPIRED OUT_OF_RANGE", "INVALID_REQUEST INVALID_ARGUMENT",
      ])
  }
}
