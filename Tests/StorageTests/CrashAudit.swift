import Base
import Streaming
import Testing

@testable import Storage

/// Looks through what the mixed load has written: nothing acknowledged is missing, nothing is there twice, every topic
/// is dense, the sum of all accounts is what it was.
struct CrashAudit {
  /// What the process said, over all rounds so far.
  private var acknowledged: Set<Substring> = []
  /// The channel's entries that were delivered: their order by their id. An entry may come twice, as itself.
  private var delivered: [Int: String] = [:]

  var isEmpty: Bool { acknowledged.isEmpty }

  /// - Parameter output: whole lines of the process's standard output.
  mutating func add(_ output: String) {
    for line in output.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words[0] == "out" {
        let (id, order) = (Int(words[1]) ?? 0, words[2...].joined(separator: " "))
        #expect(delivered[id] == nil || delivered[id] == order, "an id of the outbox came back")
        delivered[id] = order
      } else {
        acknowledged.insert(line)
      }
    }
  }

  /// After a crash and recovery, with timers and messages still waiting.
  func check(_ database: any Database) async throws {
    let written = try await database.read { reader in
      try Set(
        reader.rows("SELECT caller, number, id FROM crash_orders") {
          "order \($0[0] as Int) \($0[1] as Int) \($0[2] as Int)"
        }
          + reader.rows("SELECT caller, number, id FROM crash_transfers") {
            "transfer \($0[0] as Int) \($0[1] as Int) \($0[2] as Int)"
          } + reader.rows("SELECT topic, number FROM crash_numbers") { "topic \($0[0] as String) \($0[1] as Int)" })
    }
    // A transfer that an account had no money for has the number 0, and no row.
    let lost = acknowledged.filter {
      !written.contains(String($0)) && !($0.hasPrefix("transfer") && $0.hasSuffix(" 0"))
    }
    #expect(lost.isEmpty, "lost: \(lost.prefix(5))")
    try await checkNothingIsDoubled(database)
    try await checkTopics(database)
  }

  private func checkNothingIsDoubled(_ database: any Database) async throws {
    let doubled = try await database.read { reader in
      try ["crash_orders", "crash_transfers"].map { table in
        try reader.rows("SELECT caller, number FROM \(table) GROUP BY caller, number HAVING count(*) > 1") {
          $0[0] as Int
        }
      } + [reader.rows("SELECT 1 FROM crash_rung GROUP BY key HAVING count(*) > 1") { $0[0] as Int }]
    }
    #expect(doubled.allSatisfy { $0.isEmpty }, "doubled: \(doubled)")
    // Each order has rung or is going to, and not both.
    let (orders, rung, waiting, sum, wrong) = try await database.read { reader in
      (
        try reader.first("SELECT count(*) FROM crash_orders") { $0[0] as Int },
        try reader.first("SELECT count(*) FROM crash_rung") { $0[0] as Int },
        try reader.first("SELECT count(*) FROM octet_timers") { $0[0] as Int },
        try reader.first("SELECT CAST(sum(balance) AS INTEGER) FROM crash_accounts") { $0[0] as Int },
        try reader.rows(
          """
          SELECT a.id FROM crash_accounts a WHERE balance <> 1000
            + (SELECT CAST(coalesce(sum(amount), 0) AS INTEGER) FROM crash_transfers WHERE creditor = a.id)
            - (SELECT CAST(coalesce(sum(amount), 0) AS INTEGER) FROM crash_transfers WHERE debtor = a.id)
          """
        ) { $0[0] as Int }
      )
    }
    #expect((rung ?? 0) + (waiting ?? 0) == orders)
    #expect(sum == 20 * 1000)
    #expect(wrong.isEmpty, "accounts that are not the sum of their transfers: \(wrong)")
  }

  private func checkTopics(_ database: any Database) async throws {
    let topics = try await database.read { reader in
      try reader.rows(
        """
        SELECT t.topic, t.last_sequence, count(*), min(e.sequence), max(e.sequence),
          (SELECT count(*) FROM crash_numbers n WHERE n.topic = t.topic)
        FROM octet_topics t JOIN octet_topic_events e ON e.topic = t.topic GROUP BY t.topic, t.last_sequence
        """
      ) { row in (0...4).map { row[$0 + 1] as Int } }
    }
    for topic in topics {
      // Last number, events, their first and last, rows written with them.
      #expect(topic == [topic[0], topic[0], 1, topic[0], topic[0]])
    }
  }

  /// Runs every timer and delivers every message that the crashes left, and looks again: each exactly once.
  mutating func finish(_ database: any Database) async throws {
    // Timers may be leased by a process that was killed.
    let clock = ManualClock(SystemClock().now() + .seconds(3600))
    let timers = Timers(database: database, clock: clock, random: SystemRandomSource())
    timers.handle("crash") { writer, timer in
      try writer.execute("INSERT INTO crash_rung (key) VALUES ($1)", timer.key)
    }
    try await timers.runDue()
    let rest = Locked<[String]>([])
    let outbox = Outbox.patient(database, clock, SystemRandomSource())
    outbox.deliver("crash") { entry in
      rest.withLock { $0.append("out \(entry.id) \(String(decoding: entry.payload, as: UTF8.self))") }
    }
    try await outbox.deliverWaiting()
    add(rest.withLock { $0 }.joined(separator: "\n"))
    try await check(database)
    let orders = try await database.read { reader in
      try reader.rows("SELECT caller, number FROM crash_orders") { "\($0[0] as Int) \($0[1] as Int)" }
    }
    let rung = try await database.read { reader in try reader.rows("SELECT key FROM crash_rung") { $0[0] as String } }
    #expect(rung.sorted() == orders.sorted())
    #expect(delivered.values.sorted() == orders.sorted())
  }
}
