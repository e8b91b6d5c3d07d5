import Base
import Cryptography
import DomainKit
import PostgreSQLServer
import RPC
import Refusals
import SearchAPI
import Storage
import Streaming

@testable import Search

/// A server with the search domain and one domain whose books are found.
final class Library: Sendable {
  let clock = ManualClock()
  let database: any Database
  private let nodes: [Node]

  /// One of the processes that serve the database.
  private struct Node: Sendable {
    let kit: Kit
    let timers: Timers
    let search: SearchDomain
    let transport: InProcessTransport
  }

  var kit: Kit { nodes[0].kit }
  var timers: Timers { nodes[0].timers }
  var search: SearchDomain { nodes[0].search }
  var nodeCount: Int { nodes.count }

  static let staff = Identifier(rawValue: 1)
  static let reader = Identifier(rawValue: 2)

  private static let books = Migration(
    "test_books", 1, "books",
    sql: """
      -- state: 0 on the shelf, 1 hidden, 2 found, but shown to staff alone
      CREATE TABLE test_books (id INTEGER PRIMARY KEY, title TEXT NOT NULL, state INTEGER NOT NULL, personal INTEGER
        NOT NULL)
      """)

  /// - Parameters:
  ///   - isCatalogued: whether the search domain knows of books already.
  ///   - nodes: how many processes serve the database.
  init(isCatalogued: Bool = true, nodes count: Int = 1) async throws {
    let clock = clock
    let database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + SearchDomain.migrations + [Self.books], clock: clock)
    let root = SecretKey.random()
    let identifiers = IdentifierGenerator(clock: clock)
    nodes = try (1...count).map { number in
      let random = SeededRandomSource(seed: UInt64(number))
      let timers = Timers(database: database, clock: clock, random: random)
      let kit = Kit(
        database: database, hub: TopicHub(database: database, clock: clock, key: root, isShared: count > 1),
        clock: clock, identifiers: identifiers, random: random, keys: try ServerKeys(root: root), authority: Doors(),
        log: Log(level: .error), beatInterval: nil)
      kit.subjects.register([BookSubject()])
      let search = SearchDomain(kit: kit, timers: timers)
      kit.findables.link(to: search.findables)
      var registry = ServiceRegistry()
      search.register(in: &registry)
      let server = RPCServer(registry: registry, interceptors: [AccessInterceptor(kit: kit)], clock: clock)
      return Node(kit: kit, timers: timers, search: search, transport: InProcessTransport(acceptor: server))
    }
    self.database = database
    if isCatalogued { try await catalogue() }
  }

  /// Tells the search domain of books, and lets it build its index.
  func catalogue() async throws {
    for node in nodes { node.search.register(kinds: [FindableBooks()]) }
    try await start()
  }

  func start() async throws {
    try await search.start()
    try await work()
  }

  /// Does what is due until nothing is.
  func work() async throws { while try await timers.runDue() > 0 {} }

  func sweep() async throws {
    clock.advance(by: .seconds(3600))
    for sweep in search.sweeps { while try await sweep.step(database) {} }
  }

  func findables(node: Int) -> FindablesLink { nodes[node].kit.findables }

  func client(_ user: Identifier? = Library.reader, node: Int = 0) -> SearchServiceClient {
    let (keys, clock) = (kit.keys, clock)
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      if let user {
        let token = AccessToken(user: user, session: user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
        try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      }
      return metadata
    }
    return SearchServiceClient(
      RPCChannel(
        transport: nodes[node].transport, authority: "in-process", interceptors: [credentials, Patience()],
        clock: clock))
  }

  // MARK: - Books

  /// Adds a book, or changes the one with this id, as its domain would.
  @discardableResult
  func put(_ title: String, state: Int = 0, id: Identifier? = nil, isPersonal: Bool = false) async throws -> Identifier
  {
    let id = id ?? kit.identifiers.next()
    try await kit.database.write { [kit] writer in
      try writer.execute(
        """
        INSERT INTO test_books (id, title, state, personal) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET title = excluded.title, state = excluded.state
        """, id, title, state, isPersonal)
      try kit.subjects.visibilityChanged(of: SubjectID("book", id), in: writer)
    }
    return id
  }

  /// Adds many books of one title, a thousand in a transaction.
  func putMany(_ title: String, _ count: Int) async throws {
    for start in stride(from: 0, to: count, by: 1000) {
      try await kit.database.write { [kit] writer in
        for _ in start..<min(start + 1000, count) {
          let id = kit.identifiers.next()
          try writer.execute(
            "INSERT INTO test_books (id, title, state, personal) VALUES ($1, $2, 0, 0)", id, title)
          try kit.findables.update(SubjectID("book", id), in: writer)
        }
      }
    }
  }

  func remove(_ id: Identifier) async throws {
    try await kit.database.write { [kit] writer in
      try writer.execute("DELETE FROM test_books WHERE id = $1", id)
      try kit.findables.update(SubjectID("book", id), in: writer)
    }
  }

  /// The titles of all hits, page by page.
  func titles(
    _ text: String, pageSize: Int32 = 0, completing: Bool = false, by user: Identifier? = Library.reader
  ) async throws -> [String] {
    var request = SearchRequest()
    (request.text, request.pageSize, request.completesLastWord) = (text, pageSize, completing)
    var titles: [String] = []
    repeat {
      let page = try await client(user).search(request)
      titles += page.hits.map(\.title)
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return titles
  }

  var violations: [String] { get async throws { try await search.checkInvariants().flatMap(\.violations) } }

  func count(_ table: String) async throws -> Int {
    try await database.read { try $0.first("SELECT count(*) FROM \(table)") { $0[0] } } ?? 0
  }
}

struct FindableBooks: FindableKind {
  var prefix: String { "book" }

  func entry(of id: Identifier, in reader: any Reader) throws -> FindableEntry? {
    try reader.first("SELECT title, personal FROM test_books WHERE id = $1 AND state <> 1", id) { row in
      let title: String = row[0]
      return FindableEntry(
        title: title, tags: ["letter/\(title.prefix(1).lowercased())"], numbers: [Int64(title.count)],
        isPersonal: row[1])
    }
  }

  func things(after id: Identifier, limit: Int, in reader: any Reader) throws -> [Identifier] {
    try reader.rows("SELECT id FROM test_books WHERE id > $1 ORDER BY id LIMIT $2", id, limit) { $0[0] }
  }
}

private struct BookSubject: SubjectKind {
  var prefix: String { "book" }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try reader.first("SELECT id FROM test_books WHERE id = $1", id) { _ in SubjectFacts(owner: nil) }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    let state: Int? = try reader.first("SELECT state FROM test_books WHERE id = $1", id) { $0[0] }
    return state == 0 || state == 2 && caller?.user == Library.staff
  }
}

/// Lets everybody in; staff has `ops`.
private struct Doors: Authority {
  func hasEnded(_ session: Identifier) -> Bool { false }
  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { roles(user) }
  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { roles(user) }
  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing { Standing(provedAt: Instant(seconds: 0)) }

  private func roles(_ user: Identifier) -> RoleSet {
    user == Library.staff ? RoleSet([RoleGrant(role: "ops")]) : RoleSet()
  }
}

/// Calls `body` with a library, and closes it.
func withLibrary(
  isCatalogued: Bool = true, nodes: Int = 1, _ body: (Library) async throws -> Void
) async throws {
  let library = try await Library(isCatalogued: isCatalogued, nodes: nodes)
  do {
    try await body(library)
  } catch {
    await library.database.close()
    throw error
  }
  await library.database.close()
}
