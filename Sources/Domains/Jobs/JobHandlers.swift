import Base
import DomainKit
import JobsAPI
import RPC
import Storage
import WellKnownTypes

/// The message; the storage layer calls a worker's view of one the same.
typealias Job = JobsAPI.Job

/// octet.jobs.v1.JobService. The watch has a file of its own.
struct JobHandlers: JobService {
  static let idKind = "job"

  let kit: Kit
  let timers: Timers
  let pauses: WatchPauses

  func listJobs(_ request: ListJobsRequest, context: ServerContext) async throws -> ListJobsResponse {
    let page = try kit.page(request, context)
    return try await kit.database.read { [timers] reader in
      var response = ListJobsResponse()
      let kind = request.kind.isEmpty ? nil : request.kind
      if request.dead {
        let rows = try timers.dead(kind, before: page.before.rawValue, limit: page.fetch, in: reader)
        let (items, next) = page.cut(rows) { [.integer($0.id)] }
        (response.jobs, response.nextPageToken) = (items.map(Job.init), next)
      } else {
        let rows = try timers.live(kind, after: page.lastName, limit: page.fetch, in: reader)
        let (items, next) = page.cut(rows) { [.text($0.kind), .text($0.key)] }
        (response.jobs, response.nextPageToken) = (items.map(Job.init), next)
      }
      return response
    }
  }

  func retryJob(_ request: RetryJobRequest, context: ServerContext) async throws -> Job {
    let id = try Identifier(request.jobID, kind: Self.idKind, field: "job_id").rawValue
    return try await kit.mutate(request, context) { [timers] writer in
      guard let dead = try timers.dead(id, in: writer) else { throw KitError.notFound("job") }
      guard try timers.retry(dead: id, in: writer) else { throw KitError.wrongState(JobState.ready.protoName) }
      guard let live = try timers.live(dead.kind, dead.key, in: writer) else { throw KitError.notFound("job") }
      return Job(live)
    }
  }

  func cancelJob(_ request: CancelJobRequest, context: ServerContext) async throws -> CancelJobResponse {
    try await kit.mutate(request, context) { [timers] writer in
      guard try timers.abandon(request.kind, key: request.key, in: writer) else {
        // One that was given up is there still, and comes back by RetryJob alone.
        let isDead = try timers.isDead(request.kind, key: request.key, in: writer)
        throw isDead ? KitError.wrongState(JobState.dead.protoName) : KitError.notFound("job")
      }
      return CancelJobResponse()
    }
  }
}

extension Page {
  /// For the list of those that live: the last one of the page before.
  fileprivate var lastName: (kind: String, key: String)? {
    guard let after, after.count == 2, case .text(let kind) = after[0], case .text(let key) = after[1] else {
      return nil
    }
    return (kind, key)
  }
}

extension Job {
  init(_ timer: LiveTimer) {
    self.init()
    kind = timer.kind
    key = timer.key
    state = timer.isRunning ? .leased : .ready
    scheduledTime = Timestamp(timer.scheduledFor)
    dueTime = Timestamp(timer.due)
    attempts = Int32(clamping: timer.attempts)
    error = timer.error ?? ""
    fence = timer.fence
  }

  init(_ timer: DeadTimer) {
    self.init()
    id = Identifier(rawValue: timer.id).text(kind: JobHandlers.idKind)
    kind = timer.kind
    key = timer.key
    state = .dead
    scheduledTime = Timestamp(timer.scheduledFor)
    dueTime = Timestamp(timer.diedAt)
    attempts = Int32(clamping: timer.attempts)
    error = timer.error
  }
}
