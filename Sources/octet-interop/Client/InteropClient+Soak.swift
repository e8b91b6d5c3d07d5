import HTTP2
import InteropAPI
import RPC

extension InteropClient {
  /// What became of one call of a soak test.
  private struct Iteration {
    var latency: Duration
    var error: (any Error)?
  }

  /// Large calls one after another, each perhaps on a channel of its own.
  func soak(newChannels: Bool) async throws {
    let soak = options.soak
    let clock = ContinuousClock()
    let deadline = clock.now + soak.overallTimeout
    var iterations: [Iteration] = []
    await withTaskGroup { group in
      for _ in 0..<soak.threads {
        group.addTask {
          var done: [Iteration] = []
          while done.count < soak.iterations, clock.now < deadline {
            let next = clock.now + soak.minTimeBetweenCalls
            done.append(await self.iterate(newChannels, clock))
            if next > clock.now { try? await Task.sleep(until: min(next, deadline), clock: clock) }
          }
          return done
        }
      }
      for await done in group { iterations += done }
    }
    let slow = iterations.filter { $0.latency > soak.maxLatency && $0.error == nil }
    let errors = iterations.compactMap(\.error)
    let worst = iterations.map(\.latency).max() ?? .zero
    print("\(iterations.count) calls, \(errors.count) failed, \(slow.count) too slow, the longest \(worst)")
    try expect(iterations.count, soak.iterations * soak.threads, "the number of calls within the time")
    guard errors.count + slow.count <= soak.maxFailures else {
      throw CaseFailure(
        "\(errors.count) calls failed and \(slow.count) were too slow" + (errors.first.map { ": \($0)" } ?? ""))
    }
  }

  private func iterate(_ newChannel: Bool, _ clock: ContinuousClock) async -> Iteration {
    let start = clock.now
    do {
      let request = Self.request(options.soak.requestSize, options.soak.responseSize)
      guard newChannel else {
        try check(try await service.unaryCall(request), options.soak.responseSize)
        return Iteration(latency: clock.now - start)
      }
      let transport = try Self.connect(options, group)
      let response: SimpleResponse
      do {
        response = try await TestServiceClient(Self.channel(transport, options)).unaryCall(request)
      } catch {
        await transport.shutdown()
        throw error
      }
      let latency = clock.now - start
      await transport.shutdown()
      try check(response, options.soak.responseSize)
      return Iteration(latency: latency)
    } catch {
      return Iteration(latency: clock.now - start, error: error)
    }
  }
}
