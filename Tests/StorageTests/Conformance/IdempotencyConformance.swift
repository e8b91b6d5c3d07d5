import Base
import Dispatch
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import Synchronization
import Testing

@Suite struct IdempotencyConformance {
  private static let uuid = "01890a5d-ac96-774b-bcce-b302099a8057"

  private func key(caller: Int64 = 1, method: String = "octet.test.v1.Test/Do", _ uuid: String = uuid) throws
    -> RequestKey
  {
    try #require(RequestKey(caller: Identifier(rawValue: caller), method: method, requestID: uuid))
  }

  private func credit(_ writer: any Writer) throws -> [UInt8] {
    let balance: UInt8? = try writer.first(
      "UPDATE accounts SET balance = balance + 1 WHERE id = 1 RETURNING balance"
    ) { UInt8($0[0] as Int) }
    return [balance ?? 0]
  }

  private func withAccount(_ engine: Engine, _ body: (any Database) async throws -> Void) async throws {
    try await engine.withDatabase([Fixture.accounts]) { database in
      try await database.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 0)") }
      try await body(database)
    }
  }

  @Test(arguments: Engine.all) func `a repeated request gets the stored reply and has no second effect`(
    engine: Engine
  ) async throws {
    try await withAccount(engine) { database in
      let key = try key()
      let first = try await database.write { writer in
        try writer.once(key, hash: [1], now: Instant(seconds: 0)) { try credit(writer) }
      }
      let second = try await database.write { writer in
        try writer.once(key, hash: [1], now: Instant(seconds: 9)) { try credit(writer) }
      }
      #expect(first.reply == [1] && !first.isReplay)
      #expect(second.reply == [1] && second.isReplay)
    }
  }

  @Test(arguments: Engine.all) func `concurrent repeats have one effect`(engine: Engine) async throws {
    try await withAccount(engine) { database in
      let key = try key()
      let replies = try await withThrowingTaskGroup(of: [UInt8].self) { group in
        for _ in 0..<50 {
          group.addTask {
            try await database.write { writer in
              try writer.once(key, hash: [1], now: Instant(seconds: 0)) { try credit(writer) }.reply
            }
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(replies == Array(repeating: [1], count: 50))
    }
  }

  @Test(arguments: Engine.all) func `the same id with another request is refused`(engine: Engine) async throws {
    try await withAccount(engine) { database in
      let key = try key()
      _ = try await database.write { try $0.once(key, hash: [1], now: Instant(seconds: 0)) { [] } }
      await #expect(throws: IdempotencyError.requestIDReused) {
        try await database.write { try $0.once(key, hash: [2], now: Instant(seconds: 0)) { [] } }
      }
    }
  }

  @Test(arguments: Engine.all) func `callers and methods do not share ids`(engine: Engine) async throws {
    try await withAccount(engine) { database in
      for key in [try key(), try key(caller: 2), try key(method: "octet.test.v1.Test/Undo")] {
        let outcome = try await database.write { try $0.once(key, hash: [1], now: Instant(seconds: 0)) { [7] } }
        #expect(!outcome.isReplay)
      }
    }
  }

  @Test(arguments: Engine.all) func `a refusal is not stored`(engine: Engine) async throws {
    struct Refused: Error {}
    try await withAccount(engine) { database in
      let key = try key()
      await #expect(throws: Refused.self) {
        try await database.write { try $0.once(key, hash: [1], now: Instant(seconds: 0)) { throw Refused() } }
      }
      let retried = try await database.write { try $0.once(key, hash: [1], now: Instant(seconds: 0)) { [1] } }
      #expect(!retried.isReplay)
    }
  }

  @Test func `a repeat that begins before the first has committed is not refused for what the first did`() async throws
  {
    struct Spent: Error {}
    let url = try await PostgreSQLServer.common().makeSchema()
    let (here, elsewhere) = try await (
      PostgreSQLDatabase.open(url: url, migrations: [Fixture.accounts], clock: ManualClock(), options: .ofTests),
      PostgreSQLDatabase.open(url: url, migrations: [Fixture.accounts], clock: ManualClock(), options: .ofTests)
    )
    let key = try key()
    let spend: @Sendable (any Writer) throws -> [UInt8] = { writer in
      guard try writer.execute("UPDATE accounts SET balance = 0 WHERE id = 1 AND balance = 1") == 1 else {
        throw Spent()
      }
      return [1]
    }
    try await closing(here) {
      try await closing(elsewhere) {
        try await here.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'ann', 1)") }
        let isRacing = Atomic(true)
        let reply = try await here.write { writer in
          try writer.once(key, hash: [1], now: Instant(seconds: 0)) {
            // The other one looks the request up, spends and commits between this one's look and its own.
            if isRacing.exchange(false, ordering: .relaxed) {
              let isOver = DispatchSemaphore(value: 0)
              Task {
                defer { isOver.signal() }
                try await elsewhere.write { other in
                  try other.once(key, hash: [1], now: Instant(seconds: 0)) { try spend(other) }
                }
              }
              isOver.wait()
            }
            return try spend(writer)
          }.reply
        }
        #expect(reply == [1])
      }
    }
  }

  @Test(arguments: [
    "", "x", "01890a5d-ac96-774b-bcce-b302099a805", "01890a5d-ac96-774b-bcce-b302099a80577",
    "01890a5dac96774bbcceb302099a8057----", "g1890a5d-ac96-774b-bcce-b302099a8057",
  ])
  func `what is not a UUID is no key`(text: String) {
    #expect(RequestKey(caller: Identifier(rawValue: 1), method: "m", requestID: text) == nil)
  }

  @Test func `upper and lower case are the same key`() throws {
    let (lower, upper) = (try key(Self.uuid), try key(Self.uuid.uppercased()))
    #expect(lower == upper)
  }
}
