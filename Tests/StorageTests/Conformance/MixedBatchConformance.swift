import Base
import Storage
import Testing

/// Many transactions at once that succeed, refuse early, fail late or ask to be run again, in random order: each one's
/// fate is its own.
@Suite struct MixedBatchConformance {
  private struct Refused: Error {}

  private enum Kind: UInt64, CaseIterable {
    case succeeds
    case refusesBeforeWriting
    case losesConditionalWrite
    case failsAfterWriting
    case swallowsFailedStatement
    case asksToRunAgain
    case sends
    case sendsWhatFails
    case sendsWhatChangesNothing

    var isWritten: Bool { self == .succeeds || self == .asksToRunAgain || self == .sends }
  }

  private static let size = 250

  private static func body(_ kind: Kind, _ id: Int, _ runs: Locked<[Int: Int]>, _ writer: any Writer) throws {
    func insert() throws {
      try writer.execute("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)", id, "a\(id)")
    }
    func send() throws {
      try writer.send("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)", id, "a\(id)")
    }
    switch kind {
    case .succeeds:
      try insert()
    case .refusesBeforeWriting:
      throw Refused()
    case .losesConditionalWrite:
      guard try writer.execute("UPDATE accounts SET balance = 1 WHERE id = $1", -1) == 1 else { throw Refused() }
    case .failsAfterWriting:
      try insert()
      throw Refused()
    case .swallowsFailedStatement:
      try insert()
      _ = try? insert()
    case .asksToRunAgain:
      try insert()
      let run = runs.withLock { runs in
        runs[id, default: 0] += 1
        return runs[id, default: 0]
      }
      if run < 3 { throw RetryTransaction() }
    case .sends:
      try send()
      try writer.send("UPDATE accounts SET balance = 1 WHERE id = $1", id, orElse: Refused())
    case .sendsWhatFails:
      try send()
      try send()
    case .sendsWhatChangesNothing:
      try send()
      try writer.send("UPDATE accounts SET balance = 1 WHERE id = $1", -1, orElse: Refused())
    }
  }

  @Test(arguments: Engine.all, 0..<8) func `any mix of fates in one batch`(engine: Engine, seed: Int) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      let random = SeededRandomSource(seed: UInt64(seed))
      // Seeds with few failures leave batches without any.
      let share = UInt64(seed % 4 * 30)
      let kinds = (0..<Self.size).map { _ -> Kind in
        if random.below(100) >= share { return random.below(2) == 0 ? Kind.succeeds : .sends }
        return Kind(rawValue: random.below(UInt64(Kind.allCases.count))) ?? .succeeds
      }
      let (runs, actions) = (Locked<[Int: Int]>([:]), Locked<[Int]>([]))
      let succeeded = await withTaskGroup(of: (Int, Bool).self) { group in
        for (id, kind) in kinds.enumerated() {
          group.addTask {
            do {
              try await database.write { writer in
                writer.afterCommit { actions.withLock { $0.append(id) } }
                try Self.body(kind, id, runs, writer)
              }
              return (id, true)
            } catch {
              return (id, false)
            }
          }
        }
        return await group.reduce(into: [Int]()) { if $1.1 { $0.append($1.0) } }
      }
      let expected = kinds.indices.filter { kinds[$0].isWritten }
      #expect(succeeded.sorted() == expected, "seed \(seed)")
      #expect(actions.withLock { $0.sorted() } == expected, "seed \(seed)")
      let stored: [Int] = try await database.read { try $0.rows("SELECT id FROM accounts ORDER BY id") { $0[0] } }
      #expect(stored == expected, "seed \(seed)")
    }
  }
}
