import Base
import HTTP2
import RPC

/// Measures durable ride requests: riders who, one after the other, ask for a quote, request the ride and cancel it.
///
/// Usage: ride-load ADDR:PORT [RIDERS] [SECONDS]. The server must have demo data. Prints one line of JSON.
@main
struct RideLoad {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 2, let target = ClientTarget(arguments[1]) else {
      print("usage: ride-load ADDR:PORT [RIDERS] [SECONDS]")
      return
    }
    let riders = arguments.count > 2 ? Int(arguments[2]) ?? 64 : 64
    let seconds = arguments.count > 3 ? Int(arguments[3]) ?? 5 : 5

    let group = try EventLoopGroup(loops: 1)
    let transport = HTTP2ClientTransport(target: target, group: group)
    let channel = RPCChannel(transport: transport, authority: transport.authority)
    let signedIn = try await signIn(riders, channel)

    let end = SystemClock().now() + .seconds(seconds)
    let tallies = try await withThrowingTaskGroup(of: Tally.self) { tasks in
      for rider in signedIn {
        tasks.addTask { try await rider.ride(until: end) }
      }
      var sum = Tally()
      for try await tally in tasks { sum.add(tally) }
      return sum
    }
    print(tallies.json(seconds: seconds, riders: riders))
    await transport.shutdown()
  }

  /// Registers and logs in, a few at a time, as each costs the server a password hash.
  private static func signIn(_ count: Int, _ channel: RPCChannel) async throws -> [LoadRider] {
    var riders: [LoadRider] = []
    let tag = String(SystemRandomSource().next(), radix: 36)
    for start in stride(from: 0, to: count, by: 8) {
      riders += try await withThrowingTaskGroup(of: LoadRider.self) { tasks in
        for number in start..<min(start + 8, count) {
          tasks.addTask { try await LoadRider(handle: "load_\(tag)_\(number)", channel: channel) }
        }
        return try await tasks.reduce(into: []) { $0.append($1) }
      }
    }
    return riders
  }
}

/// What was done, and how long each ride request took.
struct Tally: Sendable {
  var writes = 0
  var latencies: [Duration] = []

  mutating func add(_ other: Tally) {
    writes += other.writes
    latencies += other.latencies
  }

  func json(seconds: Int, riders: Int) -> String {
    let sorted = latencies.sorted()
    func percentile(_ share: Double) -> Int64 {
      sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))].inNanoseconds / 1000
    }
    return """
      {"riders":\(riders),"ride_requests_per_s":\(latencies.count / seconds),"durable_writes_per_s":\(writes / seconds),\
      "request_p50_us":\(percentile(0.5)),"request_p99_us":\(percentile(0.99))}
      """
  }
}
