import Base
import Cryptography
import Foundation
import Storage
import Testing

@testable import StorageSQLite

/// Requests whose rows are not in the writer's cache, and who reads them from the disk.
@Suite(.timeLimit(.minutes(60))) struct WarmingTests {
  /// Their tree is larger than the cache of one MiB.
  private static let rows = 20_000
  private static let writes = 50

  private static let schema = Migration(
    "effects", 1, "effects", sql: "CREATE TABLE effects (id INTEGER PRIMARY KEY, name TEXT NOT NULL);")

  /// Which threads that look requests up have read the database file.
  private final class Watch: Sendable {
    let path: String
    private let threads = Locked<Set<String>>([])
    /// Where those that read are held; nil while none is.
    private let barrier = Locked<BlockingQueue<Void>?>(nil)

    init(_ path: String) { self.path = path }

    /// From now on threads that look up wait before they read.
    func hold() { barrier.withLock { $0 = BlockingQueue(limit: 1) } }

    /// Lets go of those that wait.
    func release() {
      barrier.withLock { barrier in
        barrier?.close()
        barrier = nil
      }
    }

    func willRead(_ path: String) {
      guard path == self.path,
        FaultDisk.thread == "sqlite-warm",
        let thread = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
      else { return }
      threads.withLock { _ = $0.insert(thread) }
      _ = barrier.withLock { $0 }?.pop(atMost: 1)
    }

    /// How many so far.
    var count: Int { threads.withLock { $0.count } }

    /// How many since the last time.
    func take() -> Int {
      threads.withLock { threads in
        defer { threads = [] }
        return threads.count
      }
    }
  }

  /// A database with many requests of random ids, opened anew.
  private func withFullDatabase(_ body: (SQLiteDatabase, Watch) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-warm-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let watch = Watch(path)
    let system = FaultSystem(name: "warm-\(UUID().uuidString)", disk: FaultDisk(willRead: watch.willRead))
    var options = SQLiteOptions()
    options.writerCacheMiB = 1
    func open(_ system: String?) async throws -> SQLiteDatabase {
      options.system = system
      return try await SQLiteDatabase.open(
        path: path, migrations: [Self.schema], clock: ManualClock(), options: options)
    }
    let filled = try await open(nil)
    try await filled.write { writer in
      let random = SeededRandomSource(seed: 1)
      for _ in 0..<Self.rows {
        try writer.execute(
          "INSERT INTO octet_requests (request_id, caller, method, hash, reply, created_at) VALUES ($1, 1, 1, $2, $2, 0)",
          random.bytes(16), random.bytes(24))
      }
    }
    await filled.close()
    let database = try await open(system.name)
    try await closing(database) { try await body(database, watch) }
    withExtendedLifetime(system) {}
  }

  private func key(_ version: Int, _ number: Int) throws -> RequestKey {
    // Spread over the tree by the first digits.
    let first = String((UInt64(number) &* 0x9E37_79B9) & 0xffff_ffff | 0x1_0000_0000, radix: 16).dropFirst()
    return try #require(
      RequestKey(
        caller: Identifier(rawValue: 1), method: "m", requestID: "\(first)-0000-\(version)000-8000-000000000000"))
  }

  /// - Parameter isReplay: whether the request is expected to have been served before.
  private func serve(_ version: Int, _ number: Int, _ database: SQLiteDatabase, isReplay: Bool) async throws {
    let key = try key(version, number)
    let found = try await database.write(serving: key) { writer in
      try writer.once(key, hash: [1], now: ManualClock().now()) {
        try writer.execute("INSERT INTO effects (name) VALUES ($1)", "effect")
        return [2]
      }.isReplay
    }
    #expect(found == isReplay, "request \(number)")
  }

  private func effects(_ database: SQLiteDatabase) async throws -> Int? {
    try await database.read { try $0.first("SELECT count(*) FROM effects") { $0[0] } }
  }

  @Test func `rows of random ids that the writer's cache does not hold are read by another thread first`() async throws
  {
    try await withFullDatabase { database, watch in
      // The first one tells that the cache is cold.
      try await serve(4, 0, database, isReplay: false)
      #expect(watch.take() == 0)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 1..<Self.writes { group.addTask { try await serve(4, number, database, isReplay: false) } }
        try await group.waitForAll()
      }
      #expect((1...SQLiteLimits.warmers).contains(watch.take()))
      // They are recognised, whichever way they come.
      for number in 0..<Self.writes { try await serve(4, number, database, isReplay: true) }
      #expect(try await effects(database) == Self.writes)
    }
  }

  @Test func `as many wait to be looked up as the limit says, and others go to the writer at once`() async throws {
    try await withFullDatabase { database, watch in
      try await serve(4, 0, database, isReplay: false)
      #expect(database.isCold && watch.take() == 0)
      let done = Locked(0)
      let (limit, above) = (SQLiteLimits.waitingLookUps, 5)
      watch.hold()
      try await withThrowingTaskGroup(of: Void.self) { group in
        func add(_ numbers: ClosedRange<Int>) {
          for number in numbers {
            group.addTask {
              try await serve(4, number, database, isReplay: false)
              done.withLock { $0 += 1 }
            }
          }
        }
        // Each thread is given one before the next one is there.
        for number in 1...SQLiteLimits.warmers {
          add(number...number)
          while watch.count < number { await Task.yield() }
        }
        let first = SQLiteLimits.warmers + 1
        add(first...first + limit - 1)
        while database.waiting.writes < limit { await Task.yield() }
        add(first + limit...first + limit + above - 1)
        while done.withLock({ $0 }) < above { await Task.yield() }
        #expect(database.waiting.writes == limit)
        watch.release()
        try await group.waitForAll()
      }
      #expect(try await effects(database) == 1 + SQLiteLimits.warmers + limit + above)
    }
  }

  @Test func `rows of ids that rise with time need no other thread`() async throws {
    try await withFullDatabase { database, watch in
      for number in 0..<Self.writes { try await serve(7, number, database, isReplay: false) }
      #expect(watch.take() == 0)
    }
  }

  @Test func `a cache that holds all needs no other thread`() async throws {
    let database = try await SQLiteDatabase.openTemporary(migrations: [Self.schema], clock: ManualClock())
    try await closing(database) {
      // The second one finds what the first one has brought.
      for isReplay in [false, true] { try await serve(4, 1, database, isReplay: isReplay) }
      #expect(!database.isCold)
    }
  }

  @Test func `closing the database finishes the writes that are being looked up`() async throws {
    try await withFullDatabase { database, watch in
      try await serve(4, 0, database, isReplay: false)
      #expect(database.isCold)
      let accepted = await withTaskGroup(of: Bool.self) { group in
        for number in 1...200 {
          group.addTask { (try? await serve(4, number, database, isReplay: false)) != nil }
        }
        group.addTask {
          await database.close()
          return false
        }
        // Each is done or refused; if one were forgotten, this would not end.
        return await group.reduce(into: 0) { if $1 { $0 += 1 } }
      }
      let again = try await SQLiteDatabase.open(path: watch.path, migrations: [Self.schema], clock: ManualClock())
      try await closing(again) {
        let kept = try await effects(again)
        #expect(kept == 1 + accepted)
      }
    }
  }
}
