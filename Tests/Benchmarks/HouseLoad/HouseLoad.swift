import Base
import HTTP2
import RPC

/// Callers in closed loops on one connection: each begins its next call when the one before has ended.
///
/// Usage: house-load rides|login|refresh|upload|search ADDR:PORT [CALLERS] [SECONDS]. Rides want a server with demo data,
/// search wants lines on its standard input: what to look for, with a `*` after a word that is not finished. Prints one
/// line of JSON.
@main
struct HouseLoad {
  /// Each account costs the server a password's hash, or two.
  private static let signedInAtOnce = 8

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 3, let target = ClientTarget(arguments[2]), let kind = kind(arguments[1]) else {
      print("usage: house-load rides|login|refresh|upload|search ADDR:PORT [CALLERS] [SECONDS]")
      return
    }
    let callers = arguments.count > 3 ? Int(arguments[3]) ?? 64 : 64
    let seconds = arguments.count > 4 ? Int(arguments[4]) ?? 5 : 5

    let group = try EventLoopGroup(loops: 1)
    let transport = HTTP2ClientTransport(target: target, group: group)
    let channel = RPCChannel(transport: transport, authority: transport.authority)
    let loads = try await begin(kind, callers, channel)

    let clock = SystemClock()
    let start = clock.now()
    let end = start + .seconds(seconds)
    let sum = try await withThrowingTaskGroup(of: Tally.self) { tasks in
      for load in loads {
        tasks.addTask {
          var tally = Tally()
          while clock.now() < end { try await load.step(&tally) }
          return tally
        }
      }
      var sum = Tally()
      for try await tally in tasks { sum.add(tally) }
      return sum
    }
    print(sum.json(callers: callers, took: clock.now() - start))
    await transport.shutdown()
  }

  private static func kind(_ name: String) -> (any Load.Type)? {
    switch name {
    case "rides": RideLoad.self
    case "login": LoginLoad.self
    case "refresh": RefreshLoad.self
    case "upload": UploadLoad.self
    case "search": SearchLoad.self
    default: nil
    }
  }

  private static func begin(_ kind: any Load.Type, _ count: Int, _ channel: RPCChannel) async throws -> [any Load] {
    var loads: [any Load] = []
    let tag = String(SystemRandomSource().next(), radix: 36)
    for start in stride(from: 0, to: count, by: signedInAtOnce) {
      loads += try await withThrowingTaskGroup(of: (any Load).self) { tasks in
        for number in start..<min(start + signedInAtOnce, count) {
          tasks.addTask { try await kind.init(handle: "load_\(tag)_\(number)", channel: channel) }
        }
        return try await tasks.reduce(into: []) { $0.append($1) }
      }
    }
    return loads
  }
}

/// What one caller does again and again.
protocol Load: Sendable {
  /// Makes ready what the steps need.
  /// - Parameter handle: of an account that is not there yet.
  init(handle: String, channel: RPCChannel) async throws

  /// One turn; what it did goes into the tally.
  func step(_ tally: inout Tally) async throws
}

/// What was done, and how long each measured call took.
struct Tally: Sendable {
  /// Durable transactions.
  var writes = 0
  /// Of contents.
  var bytes = 0
  private var latencies: [Duration] = []

  /// Measures a call.
  mutating func time<Result>(_ call: () async throws -> Result) async rethrows -> Result {
    let clock = SystemClock()
    let start = clock.now()
    let result = try await call()
    latencies.append(clock.now() - start)
    return result
  }

  mutating func add(_ other: Tally) {
    writes += other.writes
    bytes += other.bytes
    latencies += other.latencies
  }

  func json(callers: Int, took: Duration) -> String {
    let sorted = latencies.sorted()
    let seconds = Double(took.inNanoseconds) / 1e9
    func percentile(_ share: Double) -> Int64 {
      sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))].inNanoseconds / 1000
    }
    func rate(_ count: Int) -> Double { (Double(count) / seconds * 10).rounded() / 10 }
    return """
      {"callers":\(callers),"calls_per_s":\(rate(latencies.count)),"writes_per_s":\(rate(writes)),\
      "mib_per_s":\(rate(bytes >> 20)),"p50_us":\(percentile(0.5)),"p99_us":\(percentile(0.99))}
      """
  }
}
