import Base
import PostgreSQLServer
import Storage
import Testing

@testable import StoragePostgreSQL

/// A connection over which nothing comes any more, at the worst moment: when its commit is done.
@Suite(.timeLimit(.minutes(60))) struct SilentCommitTests {
  @Test func `a commit without an answer does not hold back those after it, and what follows them keeps its order`()
    async throws
  {
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE DATABASE silent")
    let proxy = try FaultProxy(target: server.port, random: SeededRandomSource(seed: 1))
    defer { proxy.stop() }
    // An answer may take longer than this test does.
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (2, 1)
    options.overtakenCommit = PostgreSQLLimits.overtakenCommit
    let database = try await PostgreSQLDatabase.open(
      url: server.url("silent", port: proxy.port), migrations: [Fixture.accounts], clock: SystemClock(),
      options: options)
    let told = Locked<[Int]>([])
    let write: @Sendable (Int) async throws -> Void = { number in
      try await database.write { writer in
        try writer.send("INSERT INTO accounts (id, name, balance) VALUES ($1, $2, 0)", number, "a\(number)")
        writer.afterCommit { told.withLock { $0.append(number) } }
      }
    }
    // By itself, as the isolation is READ COMMITTED.
    proxy.silence(after: "COMMIT\u{0}")
    let lost = Task { try await write(0) }
    while !proxy.hasSilenced { await Task.yield() }
    let began = ContinuousClock.now
    for number in 1...20 { try await write(number) }
    #expect(.now - began >= PostgreSQLLimits.overtakenCommit)
    #expect(told.withLock { $0 } == Array(1...20))
    let error = await storageError { try await lost.value }
    #expect(error?.code == .outcomeUnknown)
    // It is durable, as it happens, once the server has come to it.
    var count: Int? = 0
    repeat {
      count = try await database.read { try $0.first("SELECT count(*) FROM accounts") { $0[0] } }
    } while (count ?? 0) < 21
    #expect(count == 21)
    await database.close()
  }

  @Test func `a connection that breaks before the COMMIT is sent leaves nothing in doubt: the body runs again`()
    async throws
  {
    let server = try await PostgreSQLServer.common()
    try await server.run("CREATE DATABASE unsent")
    let proxy = try FaultProxy(target: server.port, random: SeededRandomSource(seed: 1))
    defer { proxy.stop() }
    var options = PostgreSQLOptions.ofTests
    (options.writers, options.readers) = (1, 1)
    let database = try await PostgreSQLDatabase.open(
      url: server.url("unsent", port: proxy.port), migrations: [Fixture.accounts], clock: SystemClock(),
      options: options)
    try await database.write { try $0.execute("INSERT INTO accounts (id, name, balance) VALUES (1, 'unheard', 0)") }
    proxy.cut(before: "unheard")
    try await database.write { writer in
      try writer.send(
        "UPDATE accounts SET balance = balance + 1 WHERE name = $1", "unheard", orElse: RetryTransaction())
    }
    #expect(proxy.hasSilenced)
    let balance: Int? = try await database.read { try $0.first("SELECT balance FROM accounts") { $0[0] } }
    #expect(balance == 1)
    await database.close()
  }

  @Test func `only a commit that another has overtaken, and that was waited for long enough, is given up`() {
    let order = CommitOrder()
    let enough = PostgreSQLLimits.overtakenCommit
    let told = Locked<[Int]>([])
    let (first, second, third) = (order.begin(), order.begin(), order.begin())
    // However long it takes by itself.
    #expect(!order.isOvertaken(first, after: enough + .seconds(60)))
    order.end(second) { told.withLock { $0.append(2) } }
    #expect(!order.isOvertaken(first, after: enough - .nanoseconds(2)))
    #expect(!order.isOvertaken(third, after: enough), "nothing that came after it is done")
    #expect(told.withLock { $0 }.isEmpty)
    // A second one does not begin the time anew.
    order.end(third) { told.withLock { $0.append(3) } }
    #expect(!order.isOvertaken(first, after: .nanoseconds(1)))
    #expect(order.isOvertaken(first, after: .nanoseconds(1)))
    order.fail(first)
    #expect(told.withLock { $0 } == [2, 3])
    // A commit that fails says nothing of those before it.
    let (fourth, fifth) = (order.begin(), order.begin())
    order.fail(fifth)
    #expect(!order.isOvertaken(fourth, after: enough + .seconds(60)))
  }
}
