import Base
import RPC
import Testing

@testable import HTTP2

/// Service configs that are found together with addresses.
extension ClientChannelTests {
  /// The addresses of a house's servers, under a name.
  private struct Fixed: AddressResolver {
    let list: [SocketAddress]
    func addresses() -> [SocketAddress] { list }
  }

  private struct Broken: Error {}

  /// Answers each question with the next of the results; the last one for ever.
  private final class Answers: Sendable {
    let rest: Locked<[Result<ServiceConfig?, any Error>]>
    let hosts = Locked([String]())

    init(_ results: [Result<ServiceConfig?, any Error>]) {
      rest = Locked(results)
    }

    var lookup: ServiceConfigLookup {
      ServiceConfigLookup { host in
        self.hosts.withLock { $0.append(host) }
        return try self.rest.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }.get()
      }
    }
  }

  private func withLookup(
    _ answers: Answers, _ house: House, target: ClientTarget? = nil, fallback: ServiceConfig? = nil,
    _ body: (HTTP2ClientTransport, RPCChannel, EventLoopGroup) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(loops: 1, time: ManualTime())
    let resolver = Fixed(list: (0..<house.servers.count).map(house.address))
    var limits = HTTP2Limits()
    // Time passes that no calls fill.
    limits.clientIdleTimeout = nil
    let transport = HTTP2ClientTransport(
      target: target ?? ClientTarget(resolver: resolver, authority: "house.example:80"), serviceConfig: fallback,
      serviceConfigLookup: answers.lookup, limits: limits, group: group)
    do {
      try await body(transport, RPCChannel(transport: transport, authority: "house"), group)
    } catch {
      Issue.record(error)
    }
    await transport.shutdown()
    await group.shutdown()
    await house.shutDown()
  }

  private func servers(_ channel: RPCChannel, calls: Int = 12) async throws -> Set<Int> {
    var seen: Set<Int> = []
    for _ in 0..<calls { seen.insert(try await call(channel, waitForReady: true)) }
    return seen
  }

  private static let robin = ServiceConfig(loadBalancing: .roundRobin)

  @Test func `the config that is found decides how calls are balanced and treated`() async throws {
    var config = Self.robin
    config.methods = [ServiceConfig.MethodConfig(names: [ServiceConfig.MethodName()], maxRequestMessageBytes: 0)]
    let answers = Answers([.success(config)])
    try await withLookup(answers, House(2)) { transport, channel, _ in
      // The first call of all knows it already.
      await #expect { try await call(channel) } throws: { ($0 as? RPCError)?.code == .resourceExhausted }
      let own = RPCChannel(transport: transport, authority: "house", serviceConfig: ServiceConfig())
      while try await servers(own) != [0, 1] {}
      #expect(answers.hosts.withLock { $0 } == ["house.example"])
    }
  }

  @Test func `without one the channel's default holds`() async throws {
    try await withLookup(Answers([.success(nil)]), House(2), fallback: Self.robin) { _, channel, _ in
      while try await servers(channel) != [0, 1] {}
    }
  }

  @Test func `what is found later holds from then on, and another balance reconnects`() async throws {
    let answers = Answers([.success(nil), .success(Self.robin), .failure(Broken())])
    let house = try await House(3)
    try await withLookup(answers, house) { transport, channel, group in
      let first = try await servers(channel)
      #expect(first == [0])
      // Losing a connection makes it ask again, at the earliest half a minute after the last time.
      await group.advance(by: .seconds(31))
      await house.stop(0)
      while try await servers(channel) != [1, 2] {}
      // One of them may have been called before the balance changed; its new connection must not miss its time.
      let client = transport.channels[0]
      while await client.loop.value({ client.ready.count }) < 2 { await Task.yield() }
      // What cannot be used leaves the config as it is.
      await group.advance(by: .seconds(31))
      while answers.hosts.withLock({ $0.count }) < 3 {
        await group.advance(by: .seconds(31))
        await Task.yield()
      }
      let last = try await servers(channel)
      #expect(last == [1, 2])
    }
  }

  @Test func `a config that cannot be used fails calls, if none is known`() async throws {
    let answers = Answers([.failure(Broken()), .success(Self.robin)])
    try await withLookup(answers, House(2), fallback: ServiceConfig()) { transport, channel, group in
      await #expect {
        try await call(channel)
      } throws: { error in
        guard let error = error as? RPCError else { return false }
        return error.code == .unavailable && error.message.contains("Broken")
      }
      #expect(transport.state == .transientFailure)
      let trace = await transport.inspect().trace?.events.map(\.text) ?? []
      #expect(trace.contains { $0.hasPrefix("Service config: ") })
      async let spread = servers(channel)
      // The backoff is a second, give or take a fifth.
      await group.advance(by: .milliseconds(1200))
      _ = try await spread
      while try await servers(channel) != [0, 1] {}
    }
  }

  @Test func `calls that wait for the config end with the transport`() async throws {
    let (questions, asked) = AsyncStream<Void>.makeStream()
    let gate = BlockingQueue<Void>(limit: 1)
    defer { gate.close() }
    let lookup = ServiceConfigLookup { _ in
      asked.yield()
      _ = gate.pop(atMost: 1)
      return nil
    }
    let group = try EventLoopGroup(loops: 1)
    let transport = HTTP2ClientTransport(
      target: ClientTarget(resolver: Fixed(list: [.ipv4([127, 0, 0, 1], port: 1)]), authority: "house"),
      serviceConfigLookup: lookup, group: group)
    let channel = RPCChannel(transport: transport, authority: "house")
    let waiting = Task { try await call(channel, waitForReady: true) }
    _ = await questions.first { _ in true }
    await transport.shutdown()
    await #expect(throws: RPCError.self) { try await waiting.value }
    // One that comes later does not wait either.
    await #expect(throws: RPCError.self) { try await call(channel) }
    await group.shutdown()
  }

  @Test func `nobody is asked for the config of an address`() async throws {
    let answers = Answers([.success(Self.robin)])
    let house = try await House(1)
    try await withLookup(answers, house, target: ClientTarget("\(house.address(0))")) { _, channel, _ in
      let seen = try await servers(channel, calls: 2)
      #expect(seen == [0])
      #expect(answers.hosts.withLock { $0 }.isEmpty)
    }
  }

  @Test func `the record with the prefix has the config`() throws {
    let client = ServiceConfigClient(hostName: "here", percentile: 0)
    func config(_ texts: [[UInt8]]) throws -> ServiceConfig? {
      try ServiceConfigLookup.config(in: texts, for: client)
    }
    let robin = Array(#"grpc_config=[{"serviceConfig": {"loadBalancingConfig": [{"round_robin": {}}]}}]"#.utf8)
    #expect(try config([]) == nil)
    #expect(try config([Array("v=spf1".utf8)]) == nil)
    #expect(try config([Array("v=spf1".utf8), robin])?.loadBalancing == .roundRobin)
    #expect(throws: ServiceConfigError.self) { try config([Array("grpc_config=".utf8)]) }
    #expect(throws: ResolutionFailure.self) { try config([Array("grpc_config=".utf8) + [0xff]]) }
  }
}
