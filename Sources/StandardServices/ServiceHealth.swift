internal import Base
public import RPC
public import StandardServicesAPI

/// `grpc.health.v1.Health`: whether the server, and each service, is ready. Safe to share between threads.
///
/// The empty name stands for the server as a whole.
public final class ServiceHealth: Health {
  public typealias Status = HealthCheckResponse.ServingStatus

  private struct State {
    var statuses: [String: Status] = ["": .serving]
    /// Counts the changes.
    var version = 0
    /// Those who wait for the next change.
    var watchers: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var nextWatcher: UInt64 = 0
    var hasStopped = false
  }

  private let state = Locked(State())

  /// Everything serves until it is said otherwise.
  /// - Parameter services: full names.
  public init(services: [String] = []) {
    state.withLock { state in
      for service in services { state.statuses[service] = .serving }
    }
  }

  /// Sets the status of a service; watchers learn it at once.
  public func set(_ service: String, _ status: Status) {
    change { state in
      if !state.hasStopped { state.statuses[service] = status }
    }
  }

  /// Says NOT_SERVING for everything, for good: the server is going to stop.
  public func stopServing() {
    change { state in
      state.hasStopped = true
      for service in state.statuses.keys { state.statuses[service] = .notServing }
    }
  }

  /// The status of a service; nil if there is no such service.
  public func status(of service: String) -> Status? {
    state.withLock { $0.statuses[service] }
  }

  public func check(_ request: HealthCheckRequest, context: ServerContext) async throws -> HealthCheckResponse {
    guard let status = status(of: request.service) else { throw RPCError(.notFound, "unknown service") }
    return Self.response(status)
  }

  /// Sends the status, and again whenever it changes, until the client has enough.
  public func watch(
    _ request: HealthCheckRequest, responses: ResponseWriter<HealthCheckResponse>, context: ServerContext
  ) async throws {
    var last: Status?
    while true {
      let (status, version) = state.withLock { ($0.statuses[request.service] ?? .serviceUnknown, $0.version) }
      if status != last {
        try await responses.write(Self.response(status))
        last = status
      }
      await waitForChange(since: version)
      try Task.checkCancellation()
    }
  }

  private static func response(_ status: Status) -> HealthCheckResponse {
    var response = HealthCheckResponse()
    response.status = status
    return response
  }

  private func change(_ body: (inout State) -> Void) {
    let waiting = state.withLock { state in
      body(&state)
      state.version += 1
      defer { state.watchers = [:] }
      return Array(state.watchers.values)
    }
    for watcher in waiting { watcher.resume() }
  }

  private func waitForChange(since version: Int) async {
    let id = state.withLock { state in
      state.nextWatcher += 1
      return state.nextWatcher
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isDue = state.withLock { state in
          if state.version != version || Task.isCancelled { return true }
          state.watchers[id] = continuation
          return false
        }
        if isDue { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.watchers.removeValue(forKey: id) }?.resume()
    }
  }
}
