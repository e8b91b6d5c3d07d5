import Base
import ChatAPI
import DomainKit
import Foundation
import RPC
import Refusals
import Testing

@testable import Storage

/// Any message serves as a job's payload.
extension ChatMessage: JobPayload {}

private struct Number: JobPayload, Equatable {
  let value: Int

  init(_ value: Int) { self.value = value }

  init(jobBytes: [UInt8]) throws {
    guard let value = Int(String(decoding: jobBytes, as: UTF8.self)) else { throw Unreadable() }
    self.value = value
  }

  var jobBytes: [UInt8] { Array(String(value).utf8) }

  struct Unreadable: Error {}
}

@Suite struct JobsTests {
  private struct Broken: Error {}

  private struct Shop {
    let workshop: Workshop
    let timers: Timers
    let jobs: Jobs

    init(_ declared: [JobDeclaration] = [], _ schedules: [JobSchedule] = []) async throws {
      workshop = try await Workshop()
      timers = Timers(database: workshop.database, clock: workshop.clock, random: SeededRandomSource(seed: 1))
      jobs = Jobs(timers: timers)
      try jobs.register(declared, schedules, of: "notes", workshop.kit.timeZones)
    }

    func write<Result: Sendable>(_ body: @escaping @Sendable (Jobs, any Writer) throws -> Result) async throws -> Result
    {
      try await workshop.database.write { [jobs] in try body(jobs, $0) }
    }
  }

  private static func note(_ text: String, _ writer: any Writer) throws {
    try writer.execute("INSERT INTO notes (text) VALUES ($1)", text)
  }

  @Test func `a job is done once, with what it was set with`() async throws {
    let kind = JobKind<ChatMessage>("notes.keep")
    let shop = try await Shop([
      kind.inTransaction { job, writer in
        try Self.note("\(job.key.id?.rawValue ?? 0) \(job.payload.text) \(job.attempt)", writer)
      }
    ])
    let due = shop.workshop.clock.now() + .seconds(5)
    let id = Identifier(rawValue: 7)
    try await shop.write { jobs, writer in
      var message = ChatMessage()
      message.text = "hello"
      try jobs.set(kind, JobKey(id), message, due: due, in: writer)
      message.text = "too late"
      #expect(try !jobs.setIfAbsent(kind, JobKey(id), message, due: due, in: writer))
      try jobs.set(kind, JobKey(id, id), message, due: due, in: writer)
      #expect(try jobs.cancel(kind, JobKey(id, id), in: writer))
      #expect(try jobs.status(kind, JobKey(id), in: writer)?.scheduledFor == due)
    }
    #expect(try await shop.timers.runDue() == 0)
    shop.workshop.clock.advance(by: .seconds(5))
    #expect(try await shop.timers.runDue() == 1)
    #expect(try await shop.workshop.notes == ["7 hello 1"])
    await shop.workshop.database.close()
  }

  @Test func `a kind is tried as its terms say, and what cannot be read is given up`() async throws {
    var terms = JobTerms()
    terms.retry.attempts = 2
    let kind = JobKind<Number>("notes.count", terms)
    let shop = try await Shop([
      kind.byWorker { job, worker in
        try await worker.finish { try Self.note("\(job.payload.value)", $0) }
      }
    ])
    let now = shop.workshop.clock.now()
    try await shop.write { [timers = shop.timers] jobs, writer in
      try jobs.set(kind, JobKey("good"), Number(5), due: now, in: writer)
      try timers.set(kind.name, key: "bad", due: now, payload: [1, 2], in: writer)
    }
    for _ in 0..<3 {
      try await shop.timers.runDue()
      shop.workshop.clock.advance(by: .seconds(5))
    }
    #expect(try await shop.workshop.notes == ["5"])
    let dead = try await shop.workshop.database.read { try shop.timers.dead(limit: 9, in: $0) }
    #expect(dead.map { "\($0.key) \($0.attempts)" } == ["bad 2"])
    await shop.workshop.database.close()
  }

  @Test func `a kind shares a full node by the weight of its terms, and has as many places as they say at most`()
    async throws
  {
    func kind(_ name: String, weight: Int, atOnce: Int?) -> JobKind<NoPayload> {
      var terms = JobTerms()
      (terms.weight, terms.atOnce) = (weight, atOnce)
      return JobKind("notes.\(name)", terms)
    }
    let kinds = [
      kind("heavy", weight: 3, atOnce: nil), kind("light", weight: 1, atOnce: nil),
      kind("bounded", weight: 100, atOnce: 2),
    ]
    let workshop = try await Workshop()
    let timers = Timers(
      database: workshop.database, clock: workshop.clock, random: SeededRandomSource(seed: 1), capacity: 10)
    let jobs = Jobs(timers: timers)
    try jobs.register(kinds.map { $0.inTransaction { _, _ in } }, of: "notes", workshop.kit.timeZones)
    let now = workshop.clock.now()
    try await workshop.database.write { writer in
      for kind in kinds {
        for number in 0..<20 { try jobs.set(kind, JobKey("\(number)"), due: now, in: writer) }
      }
    }
    let leased = try await timers.lease()
    let places = Dictionary(grouping: leased, by: \.kind).mapValues(\.count)
    #expect(places == ["notes.heavy": 6, "notes.light": 2, "notes.bounded": 2])
    await workshop.database.close()
  }

  @Test func `a schedule follows the clocks of its zone, and missed ticks become one run`() async throws {
    let kind = JobKind<Number>("notes.daily")
    // 2:30 in New York, where the clocks go from 2 to 3 on 2026-03-08 at 07:00 UTC.
    let shop = try await Shop(
      [
        kind.inTransaction { job, writer in
          try Self.note("\(job.scheduledFor.iso8601.prefix(16)) \(job.payload.value)", writer)
        }
      ],
      [JobSchedule("notes.nightly", "30 2 * * *", in: "America/New_York", sets: kind, Number(3))])
    let clock = shop.workshop.clock
    clock.advance(by: .seconds(65 * 86_400))  // 2026-03-07T00:00:00Z
    try await shop.jobs.start()
    for _ in 0..<72 {
      try await shop.timers.runDue()
      clock.advance(by: .seconds(3600))
    }
    clock.advance(by: .seconds(3 * 86_400))
    try await shop.timers.runDue()
    #expect(
      try await shop.workshop.notes == [
        "2026-03-07T07:30 3", "2026-03-08T07:00 3", "2026-03-09T06:30 3", "2026-03-10T06:30 3",
      ])
    await shop.workshop.database.close()
  }

  @Test func `a schedule in no zone, or at no time, is refused`() async throws {
    let kind = JobKind<NoPayload>("notes.daily")
    await #expect(throws: UnknownTimeZone.self) {
      _ = try await Shop([], [JobSchedule("notes.a", "30 2 * * *", in: "Europe/Nowhere", sets: kind, NoPayload())])
    }
    await #expect(throws: CronError.self) {
      _ = try await Shop([], [JobSchedule("notes.a", "30 25 * * *", sets: kind, NoPayload())])
    }
  }

  // MARK: Machines

  /// The methods of a scorer: Take answers a job's key as text and its fence as number, Finish takes both.
  private static func method(_ name: String) -> MethodDescriptor {
    MethodDescriptor(
      service: "test.Scores", name: name, kind: .unary, policy: MethodPolicy(access: .user, mutates: true))
  }

  private static func channel(_ shop: Shop, _ kind: JobKind<Number>) -> RPCChannel {
    let (kit, jobs) = (shop.workshop.kit, shop.jobs)
    return shop.workshop.channel {
      $0.unary(method("Take")) { (post: Post, context) -> ChatMessage in
        try await kit.mutate(post, context) { writer in
          var reply = ChatMessage()
          guard let leased = try jobs.lease(kind, in: writer) else { throw KitError.notFound("job") }
          (reply.text, reply.number) = (leased.job.key.text, leased.job.fence)
          return reply
        }
      }
      $0.unary(method("Finish")) { (post: Post, context) -> ChatMessage in
        try await kit.mutate(post, context) { writer in
          let parts = post.text.split(separator: " ").map(String.init)
          try jobs.finish(kind, JobKey(parts[0]), fence: Int64(parts[1]) ?? 0, in: writer)
          try note("scored by \(parts[2])", writer)
          return ChatMessage()
        }
      }
    }
  }

  /// Invariant 10: the effect commits once, under the latest fence. Acceptance 13: LEASE_LOST for the late worker.
  @Test func `acceptance 13: a machine that was frozen past its lease is told LEASE_LOST, and one effect is there`()
    async throws
  {
    let kind = JobKind<Number>("notes.score")
    let shop = try await Shop([kind.byMachines()])
    let channel = Self.channel(shop, kind)
    let options = try shop.workshop.credentials()
    func call(_ method: String, _ text: String = "next", _ requestID: String = newRequestID()) async throws
      -> ChatMessage
    {
      var post = Post()
      (post.requestID, post.text) = (requestID, text)
      return try await channel.unary(Self.method(method), post, options: options)
    }
    let now = shop.workshop.clock.now()
    try await shop.write { try $0.set(kind, JobKey("s1"), Number(1), due: now, in: $1) }
    let requestID = newRequestID()
    let frozen = try await call("Take", "next", requestID)
    #expect(try await call("Take", "next", requestID) == frozen, "a repeat gets the same job")
    await expectRefusal(.notFound, "NOT_FOUND") { try await call("Take") }
    shop.workshop.clock.advance(by: .seconds(60))
    let second = try await call("Take")
    #expect(second.text == frozen.text && second.number > frozen.number)
    await expectRefusal(.aborted, "LEASE_LOST") { try await call("Finish", "s1 \(frozen.number) frozen") }
    _ = try await call("Finish", "s1 \(second.number) second")
    await expectRefusal(.aborted, "LEASE_LOST") { try await call("Finish", "s1 \(second.number) second") }
    #expect(try await shop.workshop.notes == ["scored by second"])
    await shop.workshop.database.close()
  }

  @Test func `what no machine can read is passed over, and what was given up is told to its domain`() async throws {
    var terms = JobTerms()
    terms.retry.attempts = 1
    let kind = JobKind<Number>("notes.score", terms)
    let fails = Locked(true)
    let shop = try await Shop([
      kind.byMachines { key, writer in
        if key.text == "s0", fails.withLock({ $0 }) { throw Broken() }
        try Self.note("given up \(key.text)", writer)
      }
    ])
    let now = shop.workshop.clock.now()
    try await shop.write { [timers = shop.timers] jobs, writer in
      try timers.set(kind.name, key: "s0", due: now - .seconds(1), payload: [1, 2], in: writer)
      try jobs.set(kind, JobKey("s1"), Number(1), due: now, in: writer)
    }
    let first = try #require(try await shop.write { try $0.lease(kind, in: $1) })
    #expect(first.job.payload == Number(1) && first.until == now + .seconds(60))
    #expect(try await shop.write { try $0.extend(kind, first.job.key, fence: first.job.fence, in: $1) } == first.until)
    try await shop.write { try $0.fail(kind, first.job.key, fence: first.job.fence, "no memory", in: $1) }
    #expect(try await shop.workshop.notes == ["given up s1"])
    shop.workshop.clock.advance(by: .seconds(60))
    try await shop.timers.runDue()
    #expect(try await shop.workshop.notes == ["given up s1"])
    fails.withLock { $0 = false }
    shop.workshop.clock.advance(by: .seconds(60))
    try await shop.timers.runDue()
    #expect(try await shop.workshop.notes == ["given up s1", "given up s0"])
    let dead = try await shop.workshop.database.read { try shop.timers.dead(limit: 1, in: $0) }
    #expect(dead.map { "\($0.key) \($0.attempts) \($0.error)" } == ["s0 1 Unreadable()"])
    await shop.workshop.database.close()
  }
}
