import Base
import BenchAPI
import ChannelzAPI
import HTTP2
import RPC
import StandardServices
import Testing
import WellKnownTypes

/// What channelz tells, asked over the same server that it tells of.
@Suite(.ownThread) struct InspectionTests {
  private struct Service: Bench {
    func echo(_ request: EchoRequest, context: ServerContext) async throws -> EchoReply {
      guard request.tag != "fail" else { throw RPCError(.failedPrecondition, "as asked") }
      return EchoReply()
    }
    func download(_ request: StreamRequest, responses: ResponseWriter<Chunk>, context: ServerContext) async throws {
      for _ in 0..<request.count { try await responses.write(Chunk()) }
    }
    func upload(_ requests: RequestReader<Chunk>, context: ServerContext) async throws -> Chunk {
      while try await requests.next() != nil {}
      return Chunk()
    }
    func chat(_ requests: RequestReader<Chunk>, responses: ResponseWriter<Chunk>, context: ServerContext) async throws {
      while let chunk = try await requests.next() { try await responses.write(chunk) }
    }
  }

  private struct Parts {
    let fixture: Fixture
    let bench: BenchClient
    let channelz: ChannelzClient
  }

  private func run(certificate: TestCertificate? = nil, _ body: (Parts) async throws -> Void) async throws {
    var registry = ServiceRegistry()
    Service().register(in: &registry)
    let service = ChannelzService()
    service.register(in: &registry)
    try await Fixture.run(RPCServer(registry: registry), certificate: certificate) { fixture in
      service.add(fixture.server)
      service.add(fixture.transport)
      let channel = RPCChannel(transport: fixture.transport, authority: "localhost")
      try await body(Parts(fixture: fixture, bench: BenchClient(channel), channelz: ChannelzClient(channel)))
    }
  }

  private func echo(_ tag: String) -> EchoRequest {
    var request = EchoRequest()
    request.tag = tag
    return request
  }

  @Test func `a server counts its calls by their outcome`() async throws {
    try await run { parts in
      for _ in 0..<3 { _ = try await parts.bench.echo(echo("")) }
      await #expect(throws: RPCError.self) { try await parts.bench.echo(echo("fail")) }
      let servers = try await parts.channelz.getServers(GetServersRequest())
      #expect(servers.end && servers.server.count == 1)
      let server = try #require(servers.server.first)
      // The call that asks has begun and not ended.
      #expect(server.data?.callsStarted == 5)
      #expect(server.data?.callsSucceeded == 3)
      #expect(server.data?.callsFailed == 1)
      #expect(server.data?.lastCallStartedTimestamp != nil)
      let name = try #require(server.listenSocket.first)
      #expect(name.name == "\(parts.fixture.server.boundAddresses[0])")
      var request = GetSocketRequest()
      request.socketID = name.socketID
      let socket = try await parts.channelz.getSocket(request).socket
      #expect(socket?.local?.address != nil && socket?.remote == nil)
    }
  }

  /// The only connection of the server, as channelz has it.
  private func connection(_ parts: Parts) async throws -> Socket {
    let server = try #require(try await parts.channelz.getServers(GetServersRequest()).server.first)
    var page = GetServerSocketsRequest()
    page.serverID = try #require(server.ref?.serverID)
    let sockets = try await parts.channelz.getServerSockets(page)
    #expect(sockets.end && sockets.socketRef.count == 1)
    var request = GetSocketRequest()
    request.socketID = try #require(sockets.socketRef.first?.socketID)
    return try #require(try await parts.channelz.getSocket(request).socket)
  }

  @Test func `a connection counts streams and messages, also of calls under way`() async throws {
    try await run { parts in
      var download = StreamRequest()
      download.count = 7
      let stream = parts.bench.download(download)
      while try await stream.responses.next() != nil {}
      let chat = parts.bench.chat()
      for _ in 0..<3 {
        try await chat.requests.write(Chunk())
        _ = try await chat.responses.next()
      }
      let socket = try await connection(parts)
      let data = try #require(socket.data)
      // download, chat, and three calls of channelz, the last under way; each of those has one message each way.
      #expect(data.streamsStarted == 5)
      #expect(data.streamsSucceeded == 3 && data.streamsFailed == 0)
      #expect(data.messagesSent == 7 + 3 + 2)
      #expect(data.messagesReceived == 1 + 3 + 3)
      #expect(data.lastRemoteStreamCreatedTimestamp != nil && data.lastLocalStreamCreatedTimestamp == nil)
      #expect(data.lastMessageSentTimestamp != nil && data.lastMessageReceivedTimestamp != nil)
      #expect((data.localFlowControlWindow?.value ?? 0) > 65_535)
      #expect((data.remoteFlowControlWindow?.value ?? 0) > 0)
      guard case .tcpipAddress(let local) = socket.local?.address,
        case .tcpipAddress(let remote) = socket.remote?.address
      else {
        Issue.record("no addresses")
        return
      }
      #expect(local.ipAddress == [127, 0, 0, 1] && remote.ipAddress == [127, 0, 0, 1])
      #expect(local.port == Int32(parts.fixture.server.boundAddresses[0].address.port ?? 0) && remote.port > 0)
      #expect(socket.security == nil)
      chat.cancel()
    }
  }

  @Test func `a stream that is reset has failed`() async throws {
    try await run { parts in
      let chat = parts.bench.chat()
      try await chat.requests.write(Chunk())
      _ = try await chat.responses.next()
      chat.cancel()
      let data = try #require(try await connection(parts).data)
      #expect(data.streamsFailed == 1)
      let server = try await parts.channelz.getServers(GetServersRequest()).server.first
      #expect(server?.data?.callsFailed == 1)
    }
  }

  @Test func `TLS shows its cipher and certificates`() async throws {
    try await run(certificate: try TestCertificate()) { parts in
      guard case .tls(let tls) = try await connection(parts).security?.model else {
        Issue.record("no TLS")
        return
      }
      guard case .standardName(let name) = tls.cipherSuite else {
        Issue.record("no cipher suite")
        return
      }
      #expect(name.hasPrefix("TLS_"))
      // A DER sequence; the client has shown none.
      #expect(tls.localCertificate.first == 0x30 && tls.remoteCertificate.isEmpty)
    }
  }

  @Test func `a channel has a subchannel for its address, and that a socket`() async throws {
    try await run { parts in
      _ = try await parts.bench.echo(echo(""))
      let channels = try await parts.channelz.getTopChannels(GetTopChannelsRequest())
      #expect(channels.end && channels.channel.count == 1)
      let channel = try #require(channels.channel.first)
      #expect(channel.data?.target == parts.fixture.address && channel.data?.state?.state == .ready)
      #expect(channel.data?.callsStarted == 2 && channel.data?.callsSucceeded == 1)
      var request = GetSubchannelRequest()
      request.subchannelID = try #require(channel.subchannelRef.first?.subchannelID)
      let subchannel = try #require(try await parts.channelz.getSubchannel(request).subchannel)
      #expect(subchannel.data?.state?.state == .ready && subchannel.socketRef.count == 1)
      let trace = try #require(channel.data?.trace)
      #expect(trace.numEventsLogged == 4 && trace.creationTimestamp != nil)
      #expect(trace.events.map(\.description).suffix(2) == ["Subchannel created", "State change to READY"])
      #expect(trace.events.allSatisfy { $0.severity == .ctInfo && $0.timestamp != nil })
      #expect(trace.events[2].childRef == .subchannelRef(channel.subchannelRef[0]))
      #expect(subchannel.data?.trace?.events.last?.description == "State change to READY")
      var socketRequest = GetSocketRequest()
      socketRequest.socketID = try #require(subchannel.socketRef.first?.socketID)
      let socket = try #require(try await parts.channelz.getSocket(socketRequest).socket)
      #expect(socket.data?.lastLocalStreamCreatedTimestamp != nil && socket.data?.streamsStarted == 4)
      var channelRequest = GetChannelRequest()
      channelRequest.channelID = try #require(channel.ref?.channelID)
      #expect(try await parts.channelz.getChannel(channelRequest).channel?.ref == channel.ref)
    }
  }

  @Test func `connections come in pages`() async throws {
    try await run { parts in
      let others = (0..<4).map { _ in parts.fixture.anotherTransport() }
      for other in others {
        _ = try await BenchClient(RPCChannel(transport: other, authority: "localhost")).echo(echo(""))
      }
      let server = try #require(try await parts.channelz.getServers(GetServersRequest()).server.first)
      var seen: [Int64] = []
      var request = GetServerSocketsRequest()
      request.serverID = try #require(server.ref?.serverID)
      request.maxResults = 2
      while true {
        let page = try await parts.channelz.getServerSockets(request)
        #expect(page.socketRef.count <= 2)
        seen += page.socketRef.map(\.socketID)
        if page.end { break }
        request.startSocketID = try #require(seen.last) + 1
      }
      #expect(seen.count == 5 && seen == seen.sorted() && Set(seen).count == 5)
      // What closed connections counted stays with the server.
      for other in others { await other.shutdown() }
      while parts.fixture.server.connectionCount > 1 { await Task.yield() }
      var one = GetServerRequest()
      one.serverID = request.serverID
      #expect(try await parts.channelz.getServer(one).server?.data?.callsSucceeded == 4 + 1 + 3)
    }
  }

  @Test func `a page has inspectionPage entries at most, whatever is asked for`() async throws {
    try await run { parts in
      let port = try #require(parts.fixture.server.boundAddresses[0].address.port)
      let peers = try (0..<RPCLimits.inspectionPage + 5).map { _ in try RawPeer.greeted(port: port) }
      for peer in peers { try peer.synchronize() }
      let server = try #require(try await parts.channelz.getServers(GetServersRequest()).server.first)
      for wanted in [0, Int64(RPCLimits.inspectionPage) + 1, .max] {
        var request = GetServerSocketsRequest()
        request.serverID = try #require(server.ref?.serverID)
        request.maxResults = wanted
        let page = try await parts.channelz.getServerSockets(request)
        #expect(page.socketRef.count == RPCLimits.inspectionPage && !page.end)
      }
    }
  }

  @Test func `what is not there is NOT_FOUND, and a negative page INVALID_ARGUMENT`() async throws {
    try await run { parts in
      func code(_ body: () async throws -> Void) async -> StatusCode? {
        do {
          try await body()
          return nil
        } catch {
          return (error as? RPCError)?.code
        }
      }
      #expect(await code { _ = try await parts.channelz.getSocket(GetSocketRequest()) } == .notFound)
      #expect(await code { _ = try await parts.channelz.getServer(GetServerRequest()) } == .notFound)
      #expect(await code { _ = try await parts.channelz.getChannel(GetChannelRequest()) } == .notFound)
      #expect(await code { _ = try await parts.channelz.getSubchannel(GetSubchannelRequest()) } == .notFound)
      var page = GetServersRequest()
      page.maxResults = -1
      #expect(await code { _ = try await parts.channelz.getServers(page) } == .invalidArgument)
    }
  }
}
