import Base
import Glibc
import Storage

/// How long searches take over many documents, and how many documents a second go in.
///
/// Documents have twelve words each, whose frequencies follow Zipf's law over 100,000 made-up words: the first one is
/// in more than half of all documents.
struct SearchBenchmark {
  /// A file for SQLite, or a URL of PostgreSQL.
  let path: String
  let documents: Int
  let queries: Int

  private static let vocabulary = 100_000
  private static let wordsPerDocument = 12
  private static let documentsPerTransaction = 100
  private static let fillers = 4

  private static let syllables = [
    "ka", "to", "mi", "ra", "ne", "su", "lo", "pe", "di", "ga", "vo", "be", "shu", "cor", "tan", "fil",
  ]

  /// Words of three or four syllables, spread over the alphabet.
  private static func word(_ rank: Int) -> String {
    var rest = rank &* 40_503 % 65_536 + rank / 65_536 * 65_536
    var word = ""
    while word.isEmpty || rest > 0 || word.utf8.count < 6 {
      word += syllables[rest % 16]
      rest /= 16
    }
    return word
  }

  /// The inverse of Zipf's distribution with exponent 1, continuous: rank = vocabulary^u.
  private static func zipf(_ random: any RandomSource) -> Int {
    let uniform = Double(random.next() >> 11) / 0x1p53
    return min(Int(pow(Double(vocabulary), uniform)) - 1, vocabulary - 1)
  }

  private static func document(_ id: Int64, _ words: [String]) -> SearchDocument {
    let random = SeededRandomSource(seed: UInt64(id))
    let text = (0..<wordsPerDocument).map { _ in words[zipf(random)] }
    return SearchDocument(
      id: id, texts: ["title": text[0], "text": text.dropFirst().joined(separator: " ")],
      tags: ["public", "store/\(id % 1000)"], numbers: [id % 10_000])
  }

  func run() async throws {
    let clock = SystemClock()
    let database = try await openDatabase(at: path, migrations: SearchSchema.migrations)
    let index = SearchIndex(
      "bench", fields: ["title": 3, "text": 1], typicalLength: 14, clock: clock, random: SystemRandomSource())
    let words = (0..<Self.vocabulary).map(Self.word)
    try await fill(database, index, words, clock)
    let kinds: [(String, @Sendable (any RandomSource) -> SearchQuery)] = [
      ("most common word", { _ in SearchQuery(words[0]) }),
      ("common word", { SearchQuery(words[Int($0.below(20))]) }),
      ("rare word", { SearchQuery(words[Int(20_000 + $0.below(50_000))]) }),
      ("common + common", { SearchQuery(words[Int($0.below(10))] + " " + words[Int(10 + $0.below(10))]) }),
      ("mid + mid", { SearchQuery(words[Int(200 + $0.below(300))] + " " + words[Int(500 + $0.below(300))]) }),
      ("rare + common", { SearchQuery(words[Int(5_000 + $0.below(50_000))] + " " + words[Int($0.below(20))]) }),
      (
        "common, two tags",
        { SearchQuery(words[Int($0.below(20))], tags: ["public", "store/\($0.below(1000))"]) }
      ),
      ("prefix of 2", { SearchQuery(String(words[Int($0.below(1000))].prefix(2)), completesLastWord: true) }),
      (
        "common + prefix of 5",
        { SearchQuery(words[0] + " " + words[Int($0.below(5000))].prefix(5), completesLastWord: true) }
      ),
    ]
    for (name, make) in kinds {
      try await measure(name, clock) { random in
        let query = make(random)
        return try await database.read { try index.search(query, pageSize: 20, in: $0).hits.count }
      }
    }
    try await measure("suggestions", clock) { random in
      var typed = words[Int(random.below(10_000))]
      typed.remove(at: typed.index(typed.startIndex, offsetBy: 2))
      let text = typed
      return try await database.read { try index.suggest(text, tags: ["public"], in: $0).count }
    }
    await database.close()
  }

  private func fill(
    _ database: any Database, _ index: SearchIndex, _ words: [String], _ clock: SystemClock
  ) async throws {
    let present: Int = try await database.read {
      try $0.first("SELECT count(*) FROM octet_search_documents") { $0[0] } ?? 0
    }
    let start = clock.now()
    let next = Locked(Int64(present))
    let (end, size) = (Int64(documents), Int64(Self.documentsPerTransaction))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<Self.fillers {
        group.addTask {
          while true {
            let first = next.withLock { next in
              defer { next += size }
              return next
            }
            if first >= end { return }
            try await database.write { writer in
              for id in first..<min(first + size, end) { try index.put(Self.document(id, words), in: writer) }
            }
          }
        }
      }
      try await group.waitForAll()
    }
    let seconds = Double((clock.now() - start).inNanoseconds) / 1e9
    if present < documents { print("search: \(Int(Double(documents - present) / seconds)) documents/s put in") }
  }

  private func measure(
    _ name: String, _ clock: SystemClock, _ query: (any RandomSource) async throws -> Int
  ) async throws {
    let random = SeededRandomSource(seed: 1)
    var times: [Int64] = []
    var hits = 0
    for _ in 0..<queries {
      let start = clock.now()
      hits += try await query(random)
      times.append((clock.now() - start).inNanoseconds / 1000)
    }
    times.sort()
    print(
      "search: \(name): p50 \(times[times.count / 2]) us, p99 \(times[times.count * 99 / 100]) us,",
      "\(hits / max(queries, 1)) of 20 shown")
  }
}
