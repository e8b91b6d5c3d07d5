import Base
import RPC
import Testing

@testable import HTTP2

/// What operators see of a channel: its states, and what happened.
extension ClientChannelTests {
  private func texts(_ trace: InspectedTrace?) -> [String] { trace?.events.map(\.text) ?? [] }

  @Test func `a channel shows each state of its subchannel, and how it got there`() async throws {
    let house = try await House(1)
    let address = house.address(0)
    await house.stop(0)
    let began = SystemClock().now()
    try await withTransport(ClientTarget(addresses: [address], authority: "house")) { transport, channel, group in
      let idle = await transport.inspect()
      #expect(idle.state == .idle && idle.subchannels.isEmpty && texts(idle.trace) == [])
      let created = try #require(idle.trace?.created)
      #expect(began <= created && created <= SystemClock().now())

      await #expect(throws: RPCError.self) { try await call(channel) }
      let failing = await transport.inspect()
      #expect(failing.state == .transientFailure)
      let refused = "State change to TRANSIENT_FAILURE: \(address): "
      #expect(
        texts(failing.trace).prefix(3) == [
          "State change to CONNECTING", "Addresses: \(address)", "Subchannel created",
        ])
      #expect(texts(failing.trace)[3].hasPrefix(refused) && texts(failing.trace)[3].contains("refused"))
      #expect(failing.trace?.events[3].severity == .warning)
      let subchannel = try #require(failing.subchannels.first)
      #expect(failing.trace?.events[2].subchannel == subchannel.name)
      #expect(subchannel.state == .transientFailure && subchannel.target == "\(address)")
      #expect(texts(subchannel.trace).first == "State change to IDLE")
      #expect(texts(subchannel.trace).last?.hasPrefix("State change to TRANSIENT_FAILURE: ") == true)

      try await house.start(7, "\(address)")
      async let answer = call(channel, waitForReady: true)
      await group.advance(by: .milliseconds(1200))
      expect(try await answer, 7)
      let ready = await transport.inspect()
      #expect(ready.state == .ready && ready.subchannels.map(\.state) == [.ready])
      #expect(ready.subchannels[0].sockets.count == 1 && ready.calls.succeeded == 1)
      #expect(texts(ready.subchannels[0].trace).suffix(2) == ["State change to CONNECTING", "State change to READY"])

      await transport.shutdown()
      let shut = await transport.inspect()
      #expect(shut.state == .shutdown && shut.subchannels.map(\.state) == [.shutdown])
      #expect(texts(shut.trace).last == "State change to SHUTDOWN")
      #expect(texts(shut.subchannels[0].trace).last == "State change to SHUTDOWN")
      #expect(shut.calls.succeeded == 1)
    }
    await house.shutDown()
  }

  @Test func `a server that says nothing leaves the channel connecting`() async throws {
    let silent = try RawListener()
    try await withTransport(try #require(ClientTarget("127.0.0.1:\(silent.port)"))) { transport, _, group in
      transport.connect()
      await state(transport, .connecting)
      // The loop is to be done with what it does at this time.
      await group.advance(by: .zero)
      let channel = await transport.inspect()
      #expect(channel.state == .connecting && channel.subchannels.map(\.state) == [.connecting])
    }
  }

  @Test func `the trace keeps the latest events and counts the others`() async throws {
    let house = try await House(1)
    let address = house.address(0)
    await house.stop(0)
    var limits = HTTP2Limits()
    // Nobody makes calls while time passes.
    limits.clientIdleTimeout = nil
    let target = ClientTarget(addresses: [address], authority: "house")
    try await withTransport(target, limits: limits) { transport, channel, group in
      await #expect(throws: RPCError.self) { try await call(channel) }
      var subchannel = try #require(await transport.inspect().subchannels.first)
      // Each round: idle, connecting, failed.
      while (subchannel.trace?.count ?? 0) <= RPCLimits.tracedEvents {
        await group.advance(by: .seconds(150))
        subchannel = try #require(await transport.inspect().subchannels.first)
      }
      #expect(subchannel.trace?.events.count == RPCLimits.tracedEvents)
    }
    await house.shutDown()
  }

  /// Answers each question with the next list; the last one for ever.
  private final class ListResolver: AddressResolver {
    private let lists: Locked<[[SocketAddress]]>

    init(_ lists: [[SocketAddress]]) {
      self.lists = Locked(lists)
    }

    func addresses() -> [SocketAddress] { lists.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] } }
  }

  @Test func `operators see a bounded number of addresses, and new ones once old ones are gone`() async throws {
    let house = try await House(2)
    func others(_ octet: UInt8) -> [SocketAddress] {
      (0..<300).map { .ipv4([127, octet, UInt8($0 / 256), UInt8($0 % 256)], port: 1) }
    }
    let resolver = ListResolver([[house.address(0)] + others(77), [house.address(1)] + others(78)])
    try await withTransport(ClientTarget(resolver: resolver, authority: "house")) { transport, channel, group in
      expect(try await call(channel), 0)
      let first = await transport.inspect()
      #expect(first.subchannels.count == HTTP2Limits.inspectedAddresses)
      // Losing the connection makes it ask again, at the earliest half a minute after the last time.
      await group.advance(by: .seconds(31))
      await house.stop(0)
      // Before, a call might begin on the connection that ends.
      await state(transport, .idle)
      expect(try await call(channel, waitForReady: true), 1)
      let second = await transport.inspect()
      #expect(second.subchannels.count == HTTP2Limits.inspectedAddresses)
      #expect(second.subchannels.contains { $0.target == "\(house.address(1))" && $0.state == .ready })
      #expect(!second.subchannels.contains { $0.target.hasPrefix("127.77.") })
      // What was counted at the address that is gone is not lost.
      #expect(second.calls.started == 2)
    }
    await house.shutDown()
  }
}
