import Base
import JobsAPI
import RPC
import Refusals
import Testing
import WellKnownTypes

@testable import Jobs
@testable import Storage

private typealias Job = JobsAPI.Job

@Suite struct JobTests {
  private struct Broken: Error {}

  private func list(
    _ client: JobServiceClient, kind: String = "", dead: Bool = false, pageSize: Int32 = 0
  ) async throws -> [Job] {
    var request = ListJobsRequest()
    (request.kind, request.dead, request.pageSize) = (kind, dead, pageSize)
    var jobs: [Job] = []
    repeat {
      let page = try await client.listJobs(request)
      jobs += page.jobs
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    return jobs
  }

  private func retry(_ client: JobServiceClient, _ id: String, requestID: String = newRequestID()) async throws -> Job {
    var request = RetryJobRequest()
    (request.requestID, request.jobID) = (requestID, id)
    return try await client.retryJob(request)
  }

  private func cancel(_ client: JobServiceClient, _ kind: String, _ key: String) async throws {
    var request = CancelJobRequest()
    (request.requestID, request.kind, request.key) = (newRequestID(), kind, key)
    _ = try await client.cancelJob(request)
  }

  /// A room in which all jobs of kind `mail` have failed for good.
  private func graveyard(_ keys: String...) async throws -> Workroom {
    let room = try await Workroom()
    var policy = RetryPolicy()
    policy.attempts = 1
    room.timers.handle("mail", policy: policy) { _, _ in throw Broken() }
    for key in keys {
      try await room.set("mail", key)
      try await room.timers.runDue()
    }
    return room
  }

  @Test func `jobs that live are listed by kind and key, page by page`() async throws {
    let room = try await Workroom()
    let client = room.client()
    #expect(try await list(client).isEmpty)
    try await room.set("b", "2", "1", "3", after: .seconds(5))
    try await room.set("a", "9")
    for pageSize in [0, 1, 2] as [Int32] {
      let jobs = try await list(client, pageSize: pageSize)
      #expect(jobs.map { "\($0.kind)\($0.key)" } == ["a9", "b1", "b2", "b3"])
      #expect(jobs.allSatisfy { $0.id.isEmpty && $0.state == .ready && $0.attempts == 0 && $0.error.isEmpty })
      #expect(try await list(client, kind: "b", pageSize: pageSize).map(\.key) == ["1", "2", "3"])
    }
    #expect(try await list(client, kind: "c").isEmpty)
    #expect(try await list(client, dead: true).isEmpty)
    await room.database.close()
  }

  @Test func `a job that has failed says so, and one that a worker has is leased until the worker counts as lost`()
    async throws
  {
    let room = try await Workroom()
    let client = room.client()
    room.timers.handle("mail") { _, _ in throw Broken() }
    let (hasBegun, mayEnd) = (ParkingSpot(), ParkingSpot())
    let hasRun = Locked(false)
    // Its signs of life come in real time: none while the test looks, however long that takes.
    let lease = Duration.seconds(7200)
    room.timers.work("film", lease: lease) { _ in
      let isAgain = hasRun.withLock { hasRun in
        defer { hasRun = true }
        return hasRun
      }
      // What ended after its lease is done again.
      if isAgain { return }
      hasBegun.unpark()
      try await mayEnd.park()
    }
    try await room.set("mail", "1")
    try await room.set("film", "1")
    async let running = room.timers.runDue()
    try await hasBegun.park()
    let film = try #require(try await list(client, kind: "film").first)
    #expect(film.state == .leased && film.attempts == 1 && film.fence > 0)
    room.clock.advance(by: lease + .seconds(1))
    #expect(try await list(client, kind: "film").first?.state == .ready)
    mayEnd.unpark()
    _ = try await running
    let mail = try #require(try await list(client, kind: "mail").first)
    #expect(mail.state == .ready && mail.attempts >= 1 && mail.error.contains("Broken"))
    await room.database.close()
  }

  @Test func `jobs that were given up are listed newest first, and a retry gives one all its attempts`() async throws {
    let room = try await graveyard("1", "2", "3")
    let client = room.client()
    for pageSize in [0, 1, 2] as [Int32] {
      let dead = try await list(client, dead: true, pageSize: pageSize)
      #expect(dead.map(\.key) == ["3", "2", "1"])
      #expect(dead.allSatisfy { $0.state == .dead && $0.attempts == 1 && $0.error.contains("Broken") })
    }
    #expect(try await list(client, kind: "film", dead: true).isEmpty)
    let two = try #require(try await list(client, kind: "mail", dead: true).first { $0.key == "2" })
    let requestID = newRequestID()
    let job = try await retry(client, two.id, requestID: requestID)
    #expect(job.key == "2" && job.state == .ready && job.attempts == 0 && job.id.isEmpty)
    #expect(try await retry(client, two.id, requestID: requestID) == job)
    #expect(try await list(client, dead: true).map(\.key) == ["3", "1"])
    #expect(try await list(client) == [job])
    await expectRefusal(.notFound, "NOT_FOUND") { try await retry(client, two.id) }
    await room.database.close()
  }

  @Test func `a job that was set anew is not retried besides`() async throws {
    let room = try await graveyard("1")
    let client = room.client()
    let dead = try #require(try await list(client, dead: true).first)
    try await room.set("mail", "1", after: .seconds(5))
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await retry(client, dead.id) }
    #expect(try await list(client, dead: true) == [dead])
    await expectRefusal(.invalidArgument, "WRONG_ID_KIND") { try await retry(client, "user_0000000000001") }
    await room.database.close()
  }

  @Test func `a cancelled job is gone, its worker cannot write any more, and who waits for it is told`() async throws {
    let room = try await Workroom()
    let client = room.client()
    let (hasBegun, mayWrite) = (ParkingSpot(), ParkingSpot())
    let (outcome, abandoned) = (Locked<Bool?>(nil), Locked<[String]>([]))
    let giveUp: TimerHandler = { writer, timer in
      writer.afterCommit { abandoned.withLock { $0.append(timer.key) } }
    }
    room.timers.work("film", givenUp: giveUp) { job in
      hasBegun.unpark()
      // The cancelling of the job ends the wait as well.
      try? await mayWrite.park()
      let hasWritten = (try? await job.write { _ in }) != nil
      outcome.withLock { $0 = hasWritten }
    }
    try await room.set("film", "1")
    async let running = room.timers.runDue()
    try await hasBegun.park()
    try await cancel(client, "film", "1")
    mayWrite.unpark()
    _ = try await running
    #expect(outcome.withLock { $0 } == false)
    // Whoever waits for it is told.
    #expect(abandoned.withLock { $0 } == ["1"])
    #expect(try await list(client).isEmpty)
    await expectRefusal(.notFound, "NOT_FOUND") { try await cancel(client, "film", "1") }
    await room.database.close()
  }

  @Test func `a job that was given up is retried, and not cancelled`() async throws {
    let room = try await graveyard("1")
    let client = room.client()
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await cancel(client, "mail", "1") }
    await expectRefusal(.notFound, "NOT_FOUND") { try await cancel(client, "mail", "2") }
    #expect(try await list(client, dead: true).map(\.key) == ["1"])
    await room.database.close()
  }

  @Test func `a watch says when there are more jobs than it follows`() async throws {
    let room = try await Workroom()
    let limit = JobHandlers.watchLimit
    func snapshot() async throws -> JobList? {
      let call = watch(room)
      defer { call.cancel() }
      guard case .snapshot(let list) = try await call.responses.next()?.event else { return nil }
      return list
    }
    let keys = (0...limit).map { String($0 + 1000) }
    let (timers, due) = (room.timers, room.clock.now() + .seconds(5))
    try await room.database.write { writer in
      for key in keys.dropLast() { try timers.set("mail", key: key, due: due, in: writer) }
    }
    #expect(try await snapshot().map { [$0.jobs.count, $0.isCut ? 1 : 0] } == [limit, 0])
    try await room.set("mail", keys[limit], after: .seconds(5))
    #expect(try await snapshot().map { [$0.jobs.count, $0.isCut ? 1 : 0] } == [limit, 1])
    await room.database.close()
  }

  @Test func `strangers see no jobs and touch none`() async throws {
    let room = try await graveyard("1")
    let stranger = room.client(Workroom.stranger)
    let dead = try #require(try await list(room.client(), dead: true).first)
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await list(stranger) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await retry(stranger, dead.id) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await cancel(stranger, "mail", "1") }
    #expect(try await list(room.client(), dead: true) == [dead])
    await room.database.close()
  }

  // MARK: The watch

  /// Follows the jobs of kind `mail`.
  private func watch(_ room: Workroom) -> ServerStreamingCall<WatchJobsResponse> {
    var request = WatchJobsRequest()
    request.kind = "mail"
    return room.client().watchJobs(request)
  }

  /// Waits for the next message, which is `text`.
  private func expect(_ text: String, _ call: ServerStreamingCall<WatchJobsResponse>) async throws {
    switch try await call.responses.next()?.event {
    case .snapshot(let list): #expect("all " + list.jobs.map(\.key).joined(separator: ",") == text)
    case .change(let job):
      #expect("\(job.key) \(job.state.protoName.dropFirst(10)) \(job.attempts)" == text)
    case .goneKey(let key): #expect("gone \(key)" == text)
    case nil: #expect("nothing" == text)
    }
  }

  @Test func `a watch sends what there is, then each change as soon as it is committed`() async throws {
    let room = try await Workroom()
    room.timers.handle("mail") { _, timer in if timer.key == "2" { throw Broken() } }
    try await room.set("mail", "1", "2", after: .seconds(5))
    try await room.set("film", "1", after: .seconds(5))
    let call = watch(room)
    try await expect("all 1,2", call)
    try await room.set("mail", "3", after: .seconds(9))
    try await expect("3 READY 0", call)
    try await cancel(room.client(), "film", "1")
    try await cancel(room.client(), "mail", "3")
    try await expect("gone 3", call)
    room.clock.advance(by: .seconds(5))
    let leased = try await room.timers.lease()
    try await expect("1 LEASED 1", call)
    try await expect("2 LEASED 1", call)
    for timer in leased where timer.key == "1" { _ = await room.timers.run(timer) }
    try await expect("gone 1", call)
    for timer in leased where timer.key == "2" { _ = await room.timers.run(timer) }
    try await expect("2 READY 1", call)
    call.cancel()
    await room.database.close()
  }

  @Test func `jobs that machines do are told of as well, and so are those that were given up and retried`() async throws
  {
    let room = try await Workroom()
    let timers = room.timers
    var policy = RetryPolicy()
    policy.attempts = 1
    timers.offer("mail", policy: policy)
    try await room.set("mail", "1")
    let call = watch(room)
    try await expect("all 1", call)
    func take() async throws -> Int64 {
      try #require(try await room.database.write { try timers.takeNext("mail", in: $0) }).job.fence
    }
    let fence = try await take()
    try await expect("1 LEASED 1", call)
    try await room.database.write { try timers.fail("mail", key: "1", fence: fence, error: "no paper", in: $0) }
    try await expect("gone 1", call)
    let dead = try #require(try await list(room.client(), dead: true).first)
    _ = try await retry(room.client(), dead.id)
    try await expect("1 READY 0", call)
    let again = try await take()
    try await expect("1 LEASED 1", call)
    try await room.database.write { try timers.finish("mail", key: "1", fence: again, in: $0) }
    try await expect("gone 1", call)
    call.cancel()
    await room.database.close()
  }

  @Test func `what other nodes change is found by looking, and the watch ends with its session`() async throws {
    let room = try await Workroom(longestPause: .milliseconds(1))
    let call = watch(room)
    try await expect("all ", call)
    // Another process tells nothing.
    let other = Timers(database: room.database, clock: room.clock, random: SeededRandomSource(seed: 2))
    let due = room.clock.now() + .seconds(5)
    try await room.database.write { try other.set("mail", key: "1", due: due, in: $0) }
    try await expect("1 READY 0", call)
    room.doors.end(Workroom.staff)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { while try await call.responses.next() != nil {} }
    await room.database.close()
  }
}
