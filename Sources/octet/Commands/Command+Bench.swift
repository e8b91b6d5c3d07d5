import Base
import HTTP2
import ProtobufRuntime
import RPC

extension Command {
  static let bench = Command(
    name: "bench", arguments: "SERVICE/METHOD",
    summary: "Load a unary method and print the rate of calls and their latency.",
    details: """
      Closed loop: each of CONNECTIONS × STREAMS callers makes one call after another. All send the same message, \
      each call with a request_id of its own if the method takes one and the message has none. Calls before the \
      warm-up's end are not counted.
      """,
    options: [
      dataOption,
      Option("connections", value: "N", "Connections. Default: 1."),
      Option("streams", value: "N", "Calls at a time on each connection. Default: 32."),
      Option("seconds", value: "N", "How long to measure. Default: 5."),
      Option("warmup", value: "N", "Seconds before measuring. Default: 1."),
    ]
  ) { invocation in
    let name = try invocation.words(["SERVICE/METHOD"])[0]
    let client = try await invocation.client()
    let (service, method) = try await client.method(name)
    guard !method.isClientStreaming, !method.isServerStreaming else {
      throw UsageError("\(method.name) is not unary")
    }
    let data = invocation.arguments["data"] ?? "{}"
    guard case .objects(let objects) = try await RequestSource.read(data, for: method), objects.count == 1 else {
      throw UsageError("one message is needed")
    }
    let encoder = RequestEncoder(codec: JSONCodec(client.pool), type: method.inputType, fillsRequestID: false)
    let message = try encoder.wire(objects[0])
    let load = Load(
      method: MethodDescriptor(service: service.fullName, name: method.name, kind: .unary),
      message: message, requestIDField: encoder.missingRequestID(in: message),
      options: try await client.callOptions(), connections: try count("connections", 1, invocation),
      streams: try count("streams", 32, invocation), warmup: .seconds(try count("warmup", 1, invocation)),
      time: .seconds(try count("seconds", 5, invocation)))
    Output.print(try await load.run(ConnectionTarget(invocation.global, profile: client.profile)))
  }

  private static func count(_ name: String, _ standard: Int, _ invocation: Invocation) throws(UsageError) -> Int {
    guard let text = invocation.arguments[name] else { return standard }
    let most = 100_000
    guard let number = Int(text), (name == "warmup" ? 0 : 1)...most ~= number else {
      throw UsageError("--\(name) is a number from 1 to \(most)")
    }
    return number
  }
}

/// A closed-loop load of one unary method.
struct Load: Sendable {
  let method: MethodDescriptor
  let message: [UInt8]
  /// The field that each call fills with a new UUID, so that it does something of its own.
  let requestIDField: Int32?
  let options: CallOptions
  let connections: Int
  let streams: Int
  let warmup: Duration
  let time: Duration

  /// What callers have seen.
  private struct Tally: Sendable {
    /// Microseconds of each successful call.
    var latencies: [UInt32] = []
    var errors: [StatusCode: Int] = [:]
  }

  private func request() -> RawMessage {
    RawMessage(requestIDField.map { RequestEncoder.appendingRequestID(to: message, $0) } ?? message)
  }

  func run(_ target: ConnectionTarget) async throws -> String {
    var links: [(channel: RPCChannel, executor: any CallExecutor)] = []
    for _ in 0..<connections { links.append(try await target.connect()) }
    // The first call of each connection waits for TCP and TLS, and shows whether the method works at all.
    for link in links { _ = try await link.channel.unary(method, request(), as: RawMessage.self, options: options) }
    let start = ContinuousClock.now + warmup
    let end = start + time
    let tally = await withTaskGroup(of: Tally.self) { group in
      for link in links {
        for _ in 0..<streams {
          group.addTask(executorPreference: link.executor) { await self.loop(link.channel, from: start, until: end) }
        }
      }
      return await group.reduce(into: Tally()) { total, tally in
        total.latencies += tally.latencies
        total.errors.merge(tally.errors, uniquingKeysWith: +)
      }
    }
    return report(tally)
  }

  private func loop(_ channel: RPCChannel, from start: ContinuousClock.Instant, until end: ContinuousClock.Instant)
    async -> Tally
  {
    var tally = Tally()
    while true {
      let before = ContinuousClock.now
      if before >= end { return tally }
      do {
        _ = try await channel.unary(method, request(), as: RawMessage.self, options: options)
        guard before >= start else { continue }
        let nanoseconds = (ContinuousClock.now - before).inNanoseconds
        tally.latencies.append(UInt32(clamping: nanoseconds / 1000))
      } catch {
        let code = (error as? RPCError)?.code ?? .unknown
        if before >= start { tally.errors[code, default: 0] += 1 }
        // A server that is gone fails at once: do not burn the processor until the end.
        if code == .unavailable { try? await Task.sleep(for: .milliseconds(10)) }
      }
    }
  }

  private func report(_ tally: Tally) -> String {
    let sorted = tally.latencies.sorted()
    let seconds = Double(time.inMilliseconds) / 1000
    let failed = tally.errors.values.reduce(0, +)
    var lines = [
      "\(sorted.count) calls in \(seconds) s over \(connections) × \(streams): "
        + "\(Int((Double(sorted.count) / seconds).rounded())) calls/s"
    ]
    if !sorted.isEmpty {
      let parts: [(String, Double)] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)]
      lines.append(
        "latency in ms: "
          + parts.map { name, part in
            let index = min(Int((Double(sorted.count) * part).rounded(.up)), sorted.count) - 1
            return "\(name) \(Double(sorted[max(index, 0)]) / 1000)"
          }.joined(separator: "  "))
    }
    if failed > 0 {
      let codes = tally.errors.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key) \($0.value)" }
      lines.append("failed: \(failed) (\(codes.joined(separator: ", ")))")
    }
    return lines.joined(separator: "\n")
  }
}
