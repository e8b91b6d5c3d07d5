extension CallExecutor {
  /// Runs `body` on this executor's thread and comes back.
  func hop<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
    try await withTaskExecutorPreference(self) { try await concurrently(body) }
  }
}

/// Leaves the caller's actor, if any, for the executor that the task prefers.
@concurrent
private func concurrently<Result: Sendable>(_ body: @Sendable () async throws -> Result) async throws -> Result {
  try await body()
}
