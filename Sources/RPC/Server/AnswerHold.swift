/// What has to be done before the answer of a call may leave.
///
/// Confined to the call's executor.
final class AnswerHold {
  typealias Work = @Sendable (ServerContext) async throws -> Void

  let work: Work
  /// The work, once something wants to leave.
  var task: Task<Void, any Error>?

  init(_ work: @escaping Work) { self.work = work }
}

extension ServerCall {
  /// Has the work done that the answer waits for. Whoever else wants to answer meanwhile waits for the same. From any thread.
  /// - Throws: what the work throws.
  func release() async throws {
    guard executor.isCurrent else { return try await executor.hop { try await self.release() } }
    guard let hold else { return }
    try await begin(hold).value
    guard isHeld else { return }
    self.hold = nil
    isHeld = false
    // A publisher may have been told meanwhile that there is no room.
    tellOfDrain()
  }

  /// The same for a publisher that cannot wait: it is told that there is room when the answer may leave.
  func releaseForSink() {
    guard let hold, hold.task == nil else { return }
    _ = begin(hold)
    Task.immediate(executorPreference: executor) {
      do {
        try await self.release()
      } catch {
        self.end(failing: self.server.status(for: error, of: self))
      }
    }
  }

  private func begin(_ hold: AnswerHold) -> Task<Void, any Error> {
    if let task = hold.task { return task }
    let (work, context) = (hold.work, context)
    let task = Task(executorPreference: executor) { try await work(context) }
    hold.task = task
    return task
  }
}
