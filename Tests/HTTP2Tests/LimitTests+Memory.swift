import Base
import RPC
import Testing

@testable import HTTP2

/// Limits of what is kept in memory.
extension LimitTests {
  private typealias T = RawPeer.FrameType

  // MARK: Sessions

  @Test func `an empty buffer for control frames keeps keptControlBuffer`() throws {
    let harness = try SessionHarness(.server)
    let control = harness.session.control
    #expect(control.capacity == HTTP2Limits.keptControlBuffer)
    let ping = RawPeer.frame(T.ping, 0, 0, Array(1...8))
    try Array(repeating: ping, count: 100).flatMap { $0 }.withUnsafeBytes { try harness.session.receive($0) }
    #expect(control.count == 1700 && control.capacity >= 1700)
    try harness.takeOutput()
    #expect(harness.frames.count == 100)
    #expect(control.count == 0 && control.capacity == HTTP2Limits.keptControlBuffer)
  }

  @Test func `the header block of a request is remembered up to rememberedBlockSize`() throws {
    let most = HTTP2Limits.rememberedBlockSize
    let empty = RawPeer.request([("x", String(repeating: "v", count: 127))]).count
    for (length, isRemembered) in [(most, true), (most + 1, false)] {
      let harness = try SessionHarness(.server)
      let block = RawPeer.request([("x", String(repeating: "v", count: 127 + length - empty))])
      try #require(block.count == length)
      try harness.feed(RawPeer.headers(1, block))
      #expect(harness.session.knownBlock == (isRemembered ? block : []))
    }
  }

  @Test func `the first field of a request makes room for reservedHeadOctets`() {
    let most = HTTP2Limits.reservedHeadOctets
    var block = HeaderBlock(limits: HTTP2Limits())
    block.begin(.request)
    func add(_ count: Int) {
      // Six octets say how long the name and the value are, and the name is one.
      let value = [UInt8](repeating: UInt8(ascii: "v"), count: count - 7)
      [UInt8(ascii: "x")].withUnsafeBufferPointer { name in
        value.withUnsafeBufferPointer { #expect(block.add(name, $0) == .kept) }
      }
    }
    add(most / 2)
    let room = block.headers.octets.capacity
    add(most - most / 2)
    #expect(block.headers.octets.count == most)
    #expect(block.headers.octets.capacity == room, "the list has grown twice")
    add(room)
    #expect(block.headers.octets.capacity > room)
  }

  @Test func `the header block of an answer is remembered up to rememberedBlockSize`() {
    let memory = SessionMemory()
    let output = OutputBuffer(capacity: 64)
    var lengths: Set<Int> = []
    // A `location` does not go into the table, and so the block can be sent again as it is.
    for count in HTTP2Limits.rememberedBlockSize..<(2 * HTTP2Limits.rememberedBlockSize) {
      var encoder = HeaderEncoder(memory: memory)
      let length = encoder.encode(status: 200, ["location": String(repeating: "v", count: count)], into: output)
      #expect(encoder.remembered.count == (length <= HTTP2Limits.rememberedBlockSize ? 1 : 0), "\(length)")
      lengths.insert(length)
    }
    #expect(lengths.isSuperset(of: [HTTP2Limits.rememberedBlockSize, HTTP2Limits.rememberedBlockSize + 1]))
  }

  /// A class, so that there can be many.
  private final class Decoder {
    private let decoder: HeaderDecoder

    init(_ memory: SessionMemory) {
      decoder = HeaderDecoder(memory: memory)
    }

    func fill(_ block: [UInt8]) -> Bool {
      block.withUnsafeBytes { decoder.decode($0, isLast: true) { _, _ in true } }
    }
  }

  @Test func `a loop keeps freeBlocksPerClass of the blocks that its sessions have freed`() {
    let memory = SessionMemory()
    // As many fields of one size as a table holds.
    let block = (10..<70).flatMap { number -> [UInt8] in
      [0x40] + RawPeer.string("x-name-\(number)") + RawPeer.string("value-of-the-field-\(number)")
    }
    var decoders = (0..<40).map { _ in Decoder(memory) }
    #expect(decoders.allSatisfy { $0.fill(block) })
    decoders.removeAll()
    let counts = (0..<SessionMemory.classCount).map { memory.lists[$0].count }
    #expect(counts.max() == HTTP2Limits.freeBlocksPerClass, "\(counts)")
    // What is kept is used again.
    decoders = [Decoder(memory)]
    #expect(decoders.allSatisfy { $0.fill(block) })
    #expect((0..<SessionMemory.classCount).map { memory.lists[$0].count }.reduce(0, +) < counts.reduce(0, +))
  }

  @Test func `what loops keep of their sessions' memory is given back with the rest`() async throws {
    let group = try EventLoopGroup(loops: 2)
    @Sendable func kept(by loop: EventLoop) -> Int {
      (0..<SessionMemory.classCount).map { loop.sessionMemory.lists[$0].count }.reduce(0, +)
    }
    for loop in group.loops {
      let count = await loop.value {
        #expect(Decoder(loop.sessionMemory).fill([0x40] + RawPeer.string("x-name") + RawPeer.string("value")))
        return kept(by: loop)
      }
      #expect(count > 0)
    }
    HTTP2Server.giveMemoryBack(of: group.loops[...])
    // What is asked of each loop comes behind that.
    for loop in group.loops {
      let count = await loop.value { kept(by: loop) }
      #expect(count == 0)
    }
    await group.shutdown()
  }

  // MARK: Servers

  @Test func `memory is given back trimDelay after closedConnectionsPerTrim connections and streams have ended`()
    async throws
  {
    let most = HTTP2Limits.closedConnectionsPerTrim
    let trims = Locked(0)
    let acceptor = ScriptedAcceptor { _, stream in HoldingHandler(stream) }
    try await Fixture.run(acceptor, serverTime: ManualTime()) { fixture in
      fixture.server.state.withLock { $0.trim = { trims.withLock { $0 += 1 } } }
      /// Has a connection with so many streams, and ends it.
      func spend(_ streams: Int) async throws {
        var peer: RawPeer? = try RawPeer.greeted(port: try #require(fixture.server.boundAddresses[0].address.port))
        for number in 0..<streams { try peer?.send(RawPeer.headers(UInt32(2 * number + 1))) }
        try peer?.synchronize()
        peer = nil
        while fixture.server.connectionCount > 0 { await Task.yield() }
        // What follows from that is done too.
        await fixture.serverGroup.loops[0].value {}
      }
      try await spend(most - 2)
      await fixture.serverGroup.advance(by: .seconds(100))
      #expect(trims.withLock { $0 } == 0)
      try await spend(0)
      await fixture.serverGroup.advance(by: HTTP2Limits.trimDelay - .nanoseconds(1))
      #expect(trims.withLock { $0 } == 0)
      await fixture.serverGroup.advance(by: .nanoseconds(1))
      #expect(trims.withLock { $0 } == 1)
      // It begins anew.
      try await spend(most - 2)
      await fixture.serverGroup.advance(by: .seconds(100))
      #expect(trims.withLock { $0 } == 1)
    }
  }

  // MARK: Clients

  @Test func `a client counts the calls of inspectedAddresses addresses`() async throws {
    OpenFiles.raiseLimit()
    let count = HTTP2Limits.inspectedAddresses + 3
    // All of 127.0.0.0/8 is this host.
    try await Fixture.run(ExchangeTests.echo, listen: .cleartext("0.0.0.0:0")) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      let addresses = (1...count).map { SocketAddress.ipv4([127, 0, UInt8($0 >> 8), UInt8($0 & 255)], port: port) }
      let transport = HTTP2ClientTransport(
        target: ClientTarget(addresses: addresses, authority: "many"),
        serviceConfig: ServiceConfig(loadBalancing: .roundRobin), limits: Fixture.patient(), group: fixture.clientGroup)
      transport.connect()
      let channel = transport.channels[0]
      while await channel.loop.value({ channel.ready.count }) < count { await Task.yield() }
      #expect(await transport.inspect().subchannels.count == HTTP2Limits.inspectedAddresses)
      await transport.shutdown()
    }
  }

  @Test func `who does not look at a channel's states finds the last unreadChannelStates`() async {
    let board = StateBoard(channels: 1)
    let updates = board.updates()
    for _ in 0..<HTTP2Limits.unreadChannelStates {
      board.set(0, .connecting)
      board.set(0, .ready)
    }
    board.set(0, .shutdown)
    var seen: [ConnectivityState] = []
    for await state in updates { seen.append(state) }
    #expect(seen.count == HTTP2Limits.unreadChannelStates && seen.suffix(3) == [.connecting, .ready, .shutdown])
  }

  @Test func `a client remembers the TLS sessions of clientSessions servers`() async throws {
    let certificate = try TestCertificate()
    let configuration = try certificate.clientConfiguration()
    try await Fixture.run(ExchangeTests.echo, certificate: certificate) { fixture in
      let transport = fixture.anotherTransport(tls: configuration)
      #expect(await Exchange.start(transport, body: [[1]]).response().body == [1])
      await transport.shutdown()
    }
    let session = try #require(configuration.takeSession(for: "127.0.0.1"))
    let names = (0...HTTP2Limits.clientSessions).map { "server-\($0)" }
    for name in names.dropLast() { configuration.store(session, for: name) }
    // A newer one of the same server takes nobody's place.
    configuration.store(session, for: names[0])
    configuration.store(session, for: names[0])
    func isKnown(_ name: String) -> Bool {
      guard let known = configuration.takeSession(for: name) else { return false }
      configuration.store(known, for: name)
      return true
    }
    #expect(names.map(isKnown) == names.map { $0 != names.last })
    configuration.store(session, for: names[HTTP2Limits.clientSessions])
    #expect(names.count(where: isKnown) == HTTP2Limits.clientSessions)
    #expect(isKnown(names[HTTP2Limits.clientSessions]))
  }
}
