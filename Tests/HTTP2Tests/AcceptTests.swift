import Base
import ChildProcess
import Foundation
import RPC
import Testing

@testable import HTTP2

/// Where a server listens and whom it lets in.
@Suite(.ownThread) struct AcceptTests {
  /// A path for a socket, short enough for the address.
  private func path() -> String { NSTemporaryDirectory() + "octet-\(UUID().uuidString.prefix(8)).sock" }

  private func echo(_ listen: ListenAddress, loops: Int = 1, _ body: (Fixture) async throws -> Void) async throws {
    try await Fixture.run(ExchangeTests.echo, listen: listen, loops: loops) { fixture in
      #expect(await Exchange.start(fixture.transport, body: [[1]]).response().body == [1])
      try await body(fixture)
    }
  }

  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  // MARK: Unix sockets

  @Test func `a Unix socket's file has the mode that was asked for, and goes with the server`() async throws {
    let path = path()
    var listen = try #require(ListenAddress.cleartext("unix:\(path)"))
    listen.fileMode = 0o660
    try await echo(listen) { _ in
      let found = try mode(path)
      #expect(found == 0o660)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func `a stale socket file is replaced, one that is served is not`() async throws {
    let path = path()
    let listen = try #require(ListenAddress.cleartext("unix:\(path)"))
    // What a server leaves behind that was killed.
    _ = try Socket.listen(at: listen.address, backlog: 1)
    #expect(FileManager.default.fileExists(atPath: path))
    // A child that another test starts has all sockets for a moment, and so would serve this one.
    while (try? Socket.connect(to: listen.address)) != nil { await Task.yield() }
    try await echo(listen) { _ in
      let error = #expect(throws: SystemError.self) { _ = try Socket.listen(at: listen.address, backlog: 1) }
      #expect(error?.description == "bind: Address already in use")
    }
  }

  @Test func `a file that is no socket is never removed`() throws {
    let path = path()
    #expect(FileManager.default.createFile(atPath: path, contents: Data("precious".utf8)))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let address = try #require(SocketAddress("unix:\(path)"))
    #expect(throws: SystemError.self) { _ = try Socket.listen(at: address, backlog: 1) }
    #expect(FileManager.default.contents(atPath: path) == Data("precious".utf8))
  }

  @Test func `a later server's file is left alone`() async throws {
    let path = path()
    let listen = try #require(ListenAddress.cleartext("unix:\(path)"))
    try await echo(listen) { _ in
      try FileManager.default.removeItem(atPath: path)
      _ = try Socket.listen(at: listen.address, backlog: 1)
    }
    #expect(FileManager.default.fileExists(atPath: path))
    try FileManager.default.removeItem(atPath: path)
  }

  @Test func `a name without a file can be listened at`() async throws {
    let text = "unix-abstract:octet-\(UUID().uuidString)"
    let listen = try #require(ListenAddress.cleartext(text))
    #expect(listen.description == text)
    try await echo(listen) { fixture in
      #expect(fixture.server.boundAddresses.map(\.description) == [text])
      #expect(SocketAddress(text)?.peerText == text)
    }
    #expect(SocketAddress("unix-abstract:") == nil)
    #expect(SocketAddress("unix-abstract:" + String(repeating: "x", count: 108)) == nil)
  }

  // MARK: Every loop listens

  @Test func `loops that listen on their own keep what they accept`() async throws {
    var listen = try #require(ListenAddress.cleartext("127.0.0.1:0"))
    listen.acceptsOnEveryLoop = true
    let loops = Locked<Set<ObjectIdentifier>>([])
    let acceptor = ScriptedAcceptor { _, stream in
      loops.withLock { _ = $0.insert(ObjectIdentifier(stream.executor)) }
      return EchoHandler(stream)
    }
    try await Fixture.run(acceptor, listen: listen, loops: 2) { fixture in
      #expect(fixture.server.boundAddresses.count == 1)
      // The kernel chooses by a hash of the ports: all the same 64 times has a chance of 2^-63.
      for _ in 0..<64 {
        let transport = fixture.anotherTransport()
        #expect(await Exchange.start(transport, body: [[1]]).response().body == [1])
        await transport.shutdown()
      }
      #expect(loops.withLock { $0.count } == 2)
      // Another server may listen there too; without the option nobody may.
      let address = fixture.server.boundAddresses[0].address
      _ = try Socket.listen(at: address, backlog: 1, sharesPort: true)
      #expect(throws: SystemError.self) { _ = try Socket.listen(at: address, backlog: 1) }
    }
  }

  // MARK: Limits

  @Test func `as many connections may wait to be accepted as backlog says`() async throws {
    let group = try EventLoopGroup(loops: 1)
    let loop = group.loops[0]
    let (rooms, room) = AsyncStream<Int>.makeStream()
    let address = try #require(ListenAddress.cleartext("127.0.0.1:0"))
    let listener = try Listener(
      address, loop: loop,
      accept: { socket in
        // Of a socket that listens, Linux tells as `tcpi_sacked`, the eighth word, for how many there is room.
        var info = [UInt32](repeating: 0, count: 64)
        var size = socklen_t(4 * info.count)
        getsockopt(socket.number, Int32(IPPROTO_TCP), TCP_INFO, &info, &size)
        room.yield(Int(info[7]))
        return nil
      }, onAccept: { _ in })
    loop.execute { #expect(throws: Never.self) { try listener.start() } }
    let peer = try RawPeer(port: try #require(listener.address.address.port))
    let most = try ChildProcess.run("cat", ["/proc/sys/net/core/somaxconn"]).output
    #expect(await rooms.first { _ in true } == min(HTTP2Limits.backlog, try #require(Int(most.dropLast()))))
    await loop.value { listener.stop() }
    peer.finishSending()
    await group.shutdown()
  }

  @Test func `one address gets so many connections, and others again when some have gone`() async throws {
    var limits = HTTP2Limits()
    limits.maxConnectionsPerAddress = 2
    limits.limitsLoopback = true
    try await Fixture.run(ExchangeTests.echo, limits: limits) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      var first: RawPeer? = try RawPeer.greeted(port: port)
      let second = try RawPeer.greeted(port: port)
      try first?.synchronize()
      try second.synchronize()
      #expect(try RawPeer(port: port).next() == nil)
      #expect(fixture.server.connectionCounts.refused == 1)
      #expect(fixture.server.connectionCount == 2)
      first = nil
      while fixture.server.connectionCount > 1 { await Task.yield() }
      try RawPeer.greeted(port: port).synchronize()
    }
  }

  @Test func `loopback is not counted by default`() async throws {
    var limits = HTTP2Limits()
    limits.maxConnectionsPerAddress = 1
    try await Fixture.run(ExchangeTests.echo, limits: limits) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      let peers = try (0..<3).map { _ in try RawPeer.greeted(port: port) }
      for peer in peers { try peer.synchronize() }
    }
  }

  @Test func `all connections together have a limit`() async throws {
    var limits = HTTP2Limits()
    limits.maxConnections = 1
    try await Fixture.run(ExchangeTests.echo, limits: limits) { fixture in
      let port = try #require(fixture.server.boundAddresses[0].address.port)
      let peer = try RawPeer.greeted(port: port)
      try peer.synchronize()
      #expect(try RawPeer(port: port).next() == nil)
      #expect(fixture.server.connectionCounts.refused == 1)
    }
  }

  @Test func `an IPv4 address counts on its own, an IPv6 address with its 64`() throws {
    func network(_ text: String, loopback: Bool = false) throws -> PeerNetwork? {
      PeerNetwork(try #require(SocketAddress(text)), countsLoopback: loopback)
    }
    #expect(try network("192.0.2.1:1") == network("192.0.2.1:2"))
    #expect(try network("192.0.2.1:1") != network("192.0.2.2:1"))
    #expect(try network("[2001:db8::1]:1") == network("[2001:db8::ffff:5]:2"))
    #expect(try network("[2001:db8::1]:1") != network("[2001:db8:0:1::1]:1"))
    #expect(try network("[::1]:1") == nil && network("127.9.9.9:1") == nil && network("unix:/x") == nil)
    #expect(try network("[::1]:1", loopback: true) != nil && network("127.0.0.1:1", loopback: true) != nil)
  }

  @Test func `the limit of open files can be raised to what the system allows`() {
    let limit = OpenFiles.raiseLimit()
    #expect(limit >= 256)
    #expect(OpenFiles.raiseLimit() == limit)
  }
}
