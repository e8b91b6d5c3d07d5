import Base
import ProtobufRuntime
import RPC
import StandardServices
import StandardServicesAPI
import Testing

@testable import HTTP2

/// A client and several servers: who gets the requests, and what happens when servers come and go.
@Suite(.ownThread) struct ClientChannelTests {
  typealias Frames = RawPeer.FrameType

  static let method = MethodDescriptor(service: "test.Service", name: "Number", kind: .unary)

  /// A transport on one loop with manual time.
  func withTransport(
    _ target: ClientTarget, _ config: ServiceConfig = ServiceConfig(), limits: HTTP2Limits = HTTP2Limits(),
    _ body: (HTTP2ClientTransport, RPCChannel, EventLoopGroup) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(loops: 1, time: ManualTime())
    let transport = HTTP2ClientTransport(
      target: target, serviceConfig: config, limits: limits, group: group, random: SeededRandomSource(seed: 5))
    let result: Result<Void, any Error>
    do {
      try await body(transport, RPCChannel(transport: transport, authority: "test"), group)
      result = .success(())
    } catch {
      result = .failure(error)
    }
    await transport.shutdown()
    await group.shutdown()
    try result.get()
  }

  func call(_ channel: RPCChannel, waitForReady: Bool? = nil) async throws -> Int {
    let reply: RawMessage = try await channel.unary(
      Self.method, RawMessage([1]), options: CallOptions(waitForReady: waitForReady))
    return Int(reply.bytes.first ?? 255)
  }

  func expect(_ got: Int, _ wanted: Int, at location: SourceLocation = #_sourceLocation) {
    #expect(got == wanted, sourceLocation: location)
  }

  func state(_ transport: HTTP2ClientTransport, _ wanted: ConnectivityState) async {
    for await state in transport.states() where state == wanted { return }
  }

  /// Waits until all of `count` servers get requests.
  private func spreads(_ channel: RPCChannel, over count: Int) async throws {
    var last: [Int] = []
    while Set(last.suffix(2 * count)).count != count { last.append(try await call(channel)) }
  }

  // MARK: Balancing

  @Test func `round robin gives each server its turn, and goes on without one that is gone`() async throws {
    let house = try await House(3)
    let target = ClientTarget(addresses: (0..<3).map(house.address), authority: "house")
    try await withTransport(target, ServiceConfig(loadBalancing: .roundRobin)) { transport, channel, _ in
      try await spreads(channel, over: 3)
      var counts = [0, 0, 0]
      for _ in 0..<30 { counts[try await call(channel)] += 1 }
      #expect(counts == [10, 10, 10])
      await house.stop(1)
      // A call that finds the dying connection is sent to another.
      var answers: [Int] = []
      for _ in 0..<20 { answers.append(try await call(channel)) }
      #expect(!answers.contains(1))
      #expect(Set(answers) == [0, 2])
      #expect(transport.state == .ready)
    }
    await house.shutDown()
  }

  @Test func `pick first stays with the first that answers`() async throws {
    let house = try await House(2)
    let target = try #require(ClientTarget("ipv4:\(house.address(0)),\(house.address(1))"))
    try await withTransport(target) { _, channel, _ in
      for _ in 0..<5 { expect(try await call(channel), 0) }
      await house.stop(0)
      expect(try await call(channel, waitForReady: true), 1)
    }
    await house.shutDown()
  }

  @Test func `a server that does not answer loses to the next after its head start`() async throws {
    let house = try await House(1)
    // The kernel takes the connection, and nobody says SETTINGS.
    let silent = try RawListener()
    let target = try #require(ClientTarget("ipv4:127.0.0.1:\(silent.port),\(house.address(0))"))
    var limits = HTTP2Limits()
    limits.connectionAttemptDelay = .milliseconds(400)
    try await withTransport(target, limits: limits) { transport, channel, group in
      async let answer = call(channel)
      await state(transport, .connecting)
      // The loop is to be done with what it does at this time.
      await group.advance(by: .zero)
      await group.advance(by: .milliseconds(399))
      /// How many connections the server has got before this moment; they are accepted in their order.
      func accepted() throws -> Int {
        try RawPeer.greeted(port: try #require(house.address(0).port)).synchronize()
        return house.servers[0].connectionCounts.accepted - 1
      }
      #expect(try accepted() == 0)
      await group.advance(by: .milliseconds(1))
      try #require(try accepted() == 2, "the peer before, and the client")
      expect(try await answer, 0)
    }
    await house.shutDown()
    _ = silent
  }

  // MARK: Waiting and backing off

  @Test func `a call that waits for a connection gets it when the server comes, another fails`() async throws {
    let house = try await House(1)
    let address = house.address(0)
    await house.stop(0)
    try await withTransport(ClientTarget(addresses: [address], authority: "house")) { transport, channel, group in
      async let waiting = call(channel, waitForReady: true)
      await state(transport, .transientFailure)
      do {
        _ = try await call(channel)
        Issue.record("no failure")
      } catch {
        #expect((error as? RPCError)?.code == .unavailable)
        #expect((error as? RPCError)?.message.contains("Connection refused") == true)
      }
      try await house.start(7, "\(address)")
      // The first backoff is a second, give or take a fifth.
      await group.advance(by: .milliseconds(799))
      #expect(transport.state == .transientFailure)
      await group.advance(by: .milliseconds(401))
      expect(try await waiting, 7)
      #expect(transport.state == .ready)
    }
    await house.shutDown()
  }

  @Test func `the wait for a connection ends with the deadline`() async throws {
    let house = try await House(1)
    let address = house.address(0)
    await house.stop(0)
    try await withTransport(ClientTarget(addresses: [address], authority: "house")) { transport, channel, group in
      let call = Task {
        try await channel.unary(
          Self.method, RawMessage(), as: RawMessage.self,
          options: CallOptions(timeout: .seconds(100), waitForReady: true))
      }
      await state(transport, .transientFailure)
      await group.advance(by: .seconds(101))
      await #expect { try await call.value } throws: { ($0 as? RPCError)?.code == .deadlineExceeded }
    }
    await house.shutDown()
  }

  @Test func `requests that wait are bounded`() async throws {
    let silent = try RawListener()
    var limits = HTTP2Limits()
    limits.maxQueuedRequests = 2
    try await withTransport(try #require(ClientTarget("127.0.0.1:\(silent.port)")), limits: limits) { transport, _, _ in
      let waiting = (0..<2).map { _ in Exchange.start(transport) }
      let excess = await Exchange.start(transport).response().closure
      #expect(excess == .unreachable("too many requests wait for a connection"))
      waiting[0].reset(.cancel)
      _ = await waiting[0].response()
      let next = Exchange.start(transport)
      waiting[1].reset(.cancel)
      next.reset(.cancel)
      #expect(await next.response().closure == .reset(.cancel))
    }
    _ = silent
  }

  // MARK: States

  @Test func `the states can be watched`() async throws {
    let house = try await House(1)
    let group = try EventLoopGroup(loops: 2)
    let transport = HTTP2ClientTransport(
      target: ClientTarget(addresses: [house.address(0)], authority: "house"), limits: Fixture.patient(), group: group)
    let states = transport.states()
    #expect(transport.state == .idle)
    transport.connect()
    await state(transport, .ready)
    await transport.shutdown()
    var seen: [ConnectivityState] = []
    for await state in states { seen.append(state) }
    // On a busy machine the server may have ended the idle connection meanwhile, and another was made.
    #expect(seen.starts(with: [.idle, .connecting, .ready]) && seen.last == .shutdown, "\(seen)")
    #expect(transport.state == .shutdown)
    await group.shutdown()
    await house.shutDown()
  }

  @Test func `a channel without requests falls idle, and wakes up again`() async throws {
    let house = try await House(1)
    var limits = HTTP2Limits()
    limits.clientIdleTimeout = .seconds(60)
    let target = ClientTarget(addresses: [house.address(0)], authority: "house")
    try await withTransport(target, limits: limits) { transport, channel, group in
      expect(try await call(channel), 0)
      await group.advance(by: .seconds(40))
      expect(try await call(channel), 0)
      await group.advance(by: .seconds(59))
      #expect(transport.state == .ready)
      await group.advance(by: .seconds(1))
      #expect(transport.state == .idle)
      while house.servers[0].connectionCount > 0 { await Task.yield() }
      expect(try await call(channel), 0)
      #expect(house.servers[0].connectionCounts.accepted == 2)
    }
    await house.shutDown()
  }

  // MARK: Addresses

  private struct Directory: AddressResolver {
    let entries: Locked<[SocketAddress]>
    let questions = Locked(0)
    func addresses() throws -> [SocketAddress] {
      questions.withLock { $0 += 1 }
      return entries.withLock { $0 }
    }
  }

  @Test func `addresses are asked for again when a connection is lost, though not too often`() async throws {
    let house = try await House(2)
    let directory = Directory(entries: Locked([house.address(0)]))
    var limits = HTTP2Limits()
    limits.minResolutionInterval = .seconds(50)
    try await withTransport(
      ClientTarget(resolver: directory, authority: "house"), limits: limits
    ) { transport, channel, group in
      expect(try await call(channel), 0)
      directory.entries.withLock { $0 = [house.address(1)] }
      await house.stop(0)
      async let moved = call(channel, waitForReady: true)
      // By then the loss has been noticed, and nobody listens any more.
      await state(transport, .transientFailure)
      let client = transport.channels[0]
      await group.advance(by: .seconds(50) - .nanoseconds(1))
      #expect(await client.loop.value { client.resolution.timer != nil && !client.resolution.isUnderWay })
      await group.advance(by: .nanoseconds(1))
      try #require(await client.loop.value { client.resolution.timer == nil })
      expect(try await moved, 1)
      #expect(directory.questions.withLock { $0 } == 2)
    }
    await house.shutDown()
  }

  @Test func `no addresses are a failure, and are asked for again`() async throws {
    let house = try await House(1)
    let directory = Directory(entries: Locked([]))
    try await withTransport(ClientTarget(resolver: directory, authority: "house")) { transport, channel, group in
      await #expect { try await call(channel) } throws: {
        ($0 as? RPCError)?.message == "no connection: no addresses"
      }
      directory.entries.withLock { $0 = [house.address(0)] }
      async let answer = call(channel, waitForReady: true)
      await group.advance(by: .seconds(2))
      expect(try await answer, 0)
      #expect(directory.questions.withLock { $0 } == 2)
    }
    await house.shutDown()
  }

  @Test func `an abstract Unix socket is an address`() async throws {
    let house = try await House(0)
    let name = "octet-test-\(SystemRandomSource().next())"
    try await house.start(3, "unix-abstract:\(name)")
    #expect("\(house.address(0))" == "unix-abstract:\(name)")
    try await withTransport(try #require(ClientTarget("unix-abstract:\(name)"))) { transport, channel, _ in
      expect(try await call(channel), 3)
      #expect(transport.isPrivate)
    }
    await house.shutDown()
  }

  // MARK: Health

  @Test func `only servers that say they are well get requests`() async throws {
    let house = try await House(2)
    let config = ServiceConfig(loadBalancing: .roundRobin, healthCheckService: "house")
    house.health[1].set("house", .notServing)
    let target = ClientTarget(addresses: (0..<2).map(house.address), authority: "house")
    try await withTransport(target, config) { transport, channel, _ in
      for _ in 0..<6 { expect(try await call(channel), 0) }
      house.health[1].set("house", .serving)
      try await spreads(channel, over: 2)
      house.health[0].set("house", .notServing)
      var last: [Int] = []
      while last.suffix(6) != [1, 1, 1, 1, 1, 1] { last.append(try await call(channel)) }
      house.health[1].set("house", .notServing)
      await state(transport, .transientFailure)
      await #expect { try await call(channel) } throws: { ($0 as? RPCError)?.code == .unavailable }
    }
    await house.shutDown()
  }

  @Test func `a server without the health service counts as well`() async throws {
    let group = try EventLoopGroup(loops: 1)
    var registry = ServiceRegistry()
    registry.unary(Self.method) { (_: RawMessage, _) in RawMessage([4]) }
    let server = try HTTP2Server(
      acceptor: RPCServer(registry: registry), listen: [.cleartext("127.0.0.1:0")!], limits: Fixture.patient(),
      group: group)
    try await server.start()
    let config = ServiceConfig(loadBalancing: .roundRobin, healthCheckService: "")
    let target = ClientTarget(addresses: [server.boundAddresses[0].address], authority: "house")
    try await withTransport(target, config) { _, channel, _ in expect(try await call(channel), 4) }
    await server.drain(within: .zero)
    await group.shutdown()
  }
}
