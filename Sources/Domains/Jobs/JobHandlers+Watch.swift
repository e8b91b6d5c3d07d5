import Base
import DomainKit
import JobsAPI
import RPC
import Storage

extension JobHandlers {
  /// How many jobs a watch follows.
  static let watchLimit = 500

  func watchJobs(
    _ request: WatchJobsRequest, responses: ResponseWriter<WatchJobsResponse>, context: ServerContext
  ) async throws {
    // Before the first look, so that nothing is missed.
    let changes = timers.changes(of: request.kind)
    let look: @Sendable (_ limit: Int) async throws -> [Job] = { [kit, timers] limit in
      try await kit.database.read { try timers.live(request.kind, limit: limit, in: $0) }.map(Job.init)
    }
    let first = try await look(Self.watchLimit + 1)
    var known = Array(first.prefix(Self.watchLimit))
    var list = JobList()
    (list.jobs, list.isCut) = (known, first.count > known.count)
    try await responses.write(WatchJobsResponse(.snapshot(list)))
    let heart = Heart(kit, context, responses.sink) { WatchJobsResponse() }
    heart.start()
    defer { heart.stop() }
    while true {
      try await Task.sleep(for: pauses.shortest)
      try await changes.next(atMost: pauses.longest)
      try await kit.judgeAgain(context)
      let present = try await look(Self.watchLimit)
      for change in Self.changes(from: known, to: present) {
        try await responses.write(WatchJobsResponse(change))
        heart.wasHeard()
      }
      known = present
    }
  }

  /// What makes one list of jobs out of another; both by key.
  static func changes(from old: [Job], to new: [Job]) -> [WatchJobsResponse.Event] {
    let before = Dictionary(uniqueKeysWithValues: old.map { ($0.key, $0) })
    let after = Set(new.map(\.key))
    return old.filter { !after.contains($0.key) }.map { .goneKey($0.key) }
      + new.filter { before[$0.key] != $0 }.map { .change($0) }
  }
}

extension WatchJobsResponse {
  fileprivate init(_ event: Event) {
    self.init()
    self.event = event
  }
}
