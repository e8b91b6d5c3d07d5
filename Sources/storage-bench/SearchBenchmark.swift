import Base
import Glibc
import Storage

/// How long searches take over many documents, how many documents a second go in, and how much they take.
struct SearchBenchmark {
  /// A file for SQLite, or a URL of PostgreSQL.
  let path: String
  let documents: Int
  /// Of each kind; 0: the documents are put in, and that is all.
  let queries: Int
  /// For how long single documents are put in at the end.
  let seconds: Int
  /// Whether the engine's own full text is measured.
  let isPeer: Bool
  /// Milliseconds that the 99th percentile of a kind of query may take: if one takes longer, the program fails at its end.
  let longestP99: Int?

  /// As many as become a segment at once.
  private static let documentsPerTransaction: Int64 = 1024
  /// One makes documents while the other's are written.
  private static let fillers = 2
  private static let callers = 64

  private let clock = SystemClock()
  private let corpus = SearchCorpus()
  private let missed = Locked<[String]>([])

  func run() async throws {
    let database = try await openDatabase(at: path, migrations: SearchSchema.migrations)
    if isPeer { try await run(EngineSearch(), database) } else { try await run(OurSearch(clock), database) }
    await database.close()
    let missed = missed.withLock { $0 }
    if missed.isEmpty { return }
    print("search: longer than \(longestP99 ?? 0) ms: \(missed.joined(separator: ", "))")
    exit(1)
  }

  private func run(_ shape: some SearchShape, _ database: any Database) async throws {
    try await shape.prepare(database)
    let present = try await database.read { try shape.count($0) }
    try await fill(from: present, shape, database)
    if queries == 0 { return }
    for kind in corpus.kinds {
      try await measure(kind.name, of: 20) { random in
        let query = kind.make(random)
        return try await database.read { try shape.search(query, $0) }
      }
    }
    if try await database.read({ try shape.suggest("ka", $0) }) != nil {
      try await measure("suggestions for a misspelt word", of: 8) { random in
        let typed = corpus.misspelt(random)
        return try await database.read { try shape.suggest(typed, $0) ?? 0 }
      }
    }
    try await write(from: max(present, documents), shape, database)
  }

  // MARK: - Writing

  /// Puts documents in, a thousand in a transaction, with the background work beside; tells the rate of each tenth.
  private func fill(from present: Int, _ shape: some SearchShape, _ database: any Database) async throws {
    if present >= documents { return }
    let tenth = max(1, (documents + 9) / 10)
    let start = clock.now()
    var next = present
    while next < documents {
      let end = min(documents, (next / tenth + 1) * tenth)
      let began = clock.now()
      try await fill(Int64(next)..<Int64(end), shape, database)
      print("search: \(end) documents there: \(Int(Double(end - next) / seconds(since: began)))/s put in")
      next = end
    }
    let filled = seconds(since: start)
    while try await shape.step(database) {}
    let size = try await database.read { try shape.size($0) }
    print(
      "search: \(Int(Double(documents - present) / filled)) documents/s put in,",
      "\(Int(seconds(since: start) - filled)) s of merging after it, \(size >> 20) MiB")
  }

  private func fill(_ numbers: Range<Int64>, _ shape: some SearchShape, _ database: any Database) async throws {
    let next = Locked(numbers.lowerBound)
    let isFilled = Locked(false)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        // As in octetd, whose sweeps look after this.
        let statistics = StatisticsUpkeep()
        while !isFilled.withLock({ $0 }) {
          while try await statistics.step(database) {}
          if try await !shape.step(database) { try await Task.sleep(for: .milliseconds(20)) }
        }
      }
      try await withThrowingTaskGroup(of: Void.self) { fillers in
        for _ in 0..<Self.fillers {
          fillers.addTask {
            while true {
              let first = next.withLock { next in
                defer { next += Self.documentsPerTransaction }
                return next
              }
              if first >= numbers.upperBound { return }
              let batch = (first..<min(first + Self.documentsPerTransaction, numbers.upperBound)).map(corpus.document)
              try await database.write { try shape.put(batch, $0) }
            }
          }
        }
        try await fillers.waitForAll()
      }
      isFilled.withLock { $0 = true }
      try await group.waitForAll()
    }
  }

  /// Documents by themselves, each in a transaction of its own, from many callers at a time.
  private func write(from first: Int, _ shape: some SearchShape, _ database: any Database) async throws {
    if seconds == 0 { return }
    let next = Locked(Int64(first))
    let end = clock.now() + .seconds(seconds)
    let times = Locked<[Int64]>([])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<Self.callers {
        group.addTask {
          while clock.now() < end {
            let document = corpus.document(
              next.withLock { next in
                defer { next += 1 }
                return next
              })
            let start = clock.now()
            try await database.write { try shape.put([document], $0) }
            let time = (clock.now() - start).inNanoseconds / 1000
            times.withLock { $0.append(time) }
          }
        }
      }
      try await group.waitForAll()
    }
    let sorted = times.withLock { $0.sorted() }
    guard !sorted.isEmpty else { return print("search: single documents: none in time") }
    print(
      "search: single documents, \(Self.callers) callers: \(sorted.count / seconds)/s,",
      "p50 \(sorted[sorted.count / 2]) us, p99 \(sorted[sorted.count * 99 / 100]) us")
  }

  private func seconds(since start: Instant) -> Double { Double((clock.now() - start).inNanoseconds) / 1e9 }

  // MARK: - Reading

  private func measure(_ name: String, of most: Int, _ query: (any RandomSource) async throws -> Int) async throws {
    // What a process and its database remember is not there at first.
    let others = SeededRandomSource(seed: 2)
    for _ in 0..<(queries / 10) { _ = try await query(others) }
    let random = SeededRandomSource(seed: 1)
    var times: [Int64] = []
    var found = 0
    for _ in 0..<queries {
      let start = clock.now()
      found += try await query(random)
      times.append((clock.now() - start).inNanoseconds / 1000)
    }
    times.sort()
    // The least that is not below 99 of 100.
    let p99 = times[(times.count * 99 + 99) / 100 - 1]
    if let longestP99, p99 > Int64(longestP99) * 1000 { missed.withLock { $0.append(name) } }
    print(
      "search: \(name): p50 \(times[times.count / 2]) us, p99 \(p99) us,",
      "\(Double(found * 10 / queries) / 10) of \(most) shown")
  }
}
