internal import Base
public import ChannelzAPI
public import RPC

/// `grpc.channelz.v1.Channelz`: what operators see of servers, channels and connections. Safe to share between threads.
///
/// It tells addresses of clients and certificates: register it only where operators alone can call.
///
/// ```swift
/// let channelz = ChannelzService()
/// channelz.register(in: &registry)
/// // the server, with that registry, starts
/// channelz.add(server)
/// ```
/// What is added is not kept alive, and is forgotten when it goes.
public final class ChannelzService: Channelz {
  // Weak, as the server holds the service by its registry.
  private struct WeakServer: Sendable {
    weak let server: (any InspectableServer)?
  }
  private struct WeakChannel: Sendable {
    weak let channel: (any InspectableChannel)?
  }

  private let servers = Locked([WeakServer]())
  private let channels = Locked([WeakChannel]())

  public init() {}

  public func add(_ server: any InspectableServer) {
    servers.withLock { servers in
      servers.removeAll { $0.server == nil }
      servers.append(WeakServer(server: server))
    }
  }

  public func add(_ channel: any InspectableChannel) {
    channels.withLock { channels in
      channels.removeAll { $0.channel == nil }
      channels.append(WeakChannel(channel: channel))
    }
  }

  private var allServers: [any InspectableServer] {
    servers.withLock { $0.compactMap(\.server) }.sorted { $0.inspectionID < $1.inspectionID }
  }

  private var allChannels: [any InspectableChannel] {
    channels.withLock { $0.compactMap(\.channel) }.sorted { $0.inspectionID < $1.inspectionID }
  }

  // MARK: Channelz

  public func getTopChannels(
    _ request: GetTopChannelsRequest, context: ServerContext
  ) async throws -> GetTopChannelsResponse {
    let limit = try Self.limit(request.maxResults)
    let rest = allChannels.filter { $0.inspectionID >= request.startChannelID }
    var response = GetTopChannelsResponse()
    for channel in rest.prefix(limit) { response.channel.append(Channel(await channel.inspect())) }
    response.end = rest.count <= limit
    return response
  }

  public func getServers(_ request: GetServersRequest, context: ServerContext) async throws -> GetServersResponse {
    let limit = try Self.limit(request.maxResults)
    let rest = allServers.filter { $0.inspectionID >= request.startServerID }
    var response = GetServersResponse()
    for server in rest.prefix(limit) { response.server.append(Server(await server.inspect())) }
    response.end = rest.count <= limit
    return response
  }

  public func getServer(_ request: GetServerRequest, context: ServerContext) async throws -> GetServerResponse {
    var response = GetServerResponse()
    response.server = Server(await (try server(request.serverID)).inspect())
    return response
  }

  public func getServerSockets(
    _ request: GetServerSocketsRequest, context: ServerContext
  ) async throws -> GetServerSocketsResponse {
    let limit = try Self.limit(request.maxResults)
    let (names, isEnd) = try server(request.serverID).connections(from: request.startSocketID, limit: limit)
    var response = GetServerSocketsResponse()
    response.socketRef = names.map { SocketRef($0) }
    response.end = isEnd
    return response
  }

  public func getChannel(_ request: GetChannelRequest, context: ServerContext) async throws -> GetChannelResponse {
    guard let channel = allChannels.first(where: { $0.inspectionID == request.channelID }) else {
      throw RPCError(.notFound, "there is no channel \(request.channelID)")
    }
    var response = GetChannelResponse()
    response.channel = Channel(await channel.inspect())
    return response
  }

  public func getSubchannel(
    _ request: GetSubchannelRequest, context: ServerContext
  ) async throws -> GetSubchannelResponse {
    for channel in allChannels {
      if let found = await channel.inspect().subchannels.first(where: { $0.name.id == request.subchannelID }) {
        var response = GetSubchannelResponse()
        response.subchannel = Subchannel(found)
        return response
      }
    }
    throw RPCError(.notFound, "there is no subchannel \(request.subchannelID)")
  }

  public func getSocket(_ request: GetSocketRequest, context: ServerContext) async throws -> GetSocketResponse {
    guard let socket = await socket(request.socketID) else {
      throw RPCError(.notFound, "there is no socket \(request.socketID)")
    }
    var response = GetSocketResponse()
    response.socket = Socket(socket)
    return response
  }

  private func server(_ id: Int64) throws(RPCError) -> any InspectableServer {
    guard let server = allServers.first(where: { $0.inspectionID == id }) else {
      throw RPCError(.notFound, "there is no server \(id)")
    }
    return server
  }

  private func socket(_ id: Int64) async -> InspectedSocket? {
    for server in allServers {
      if let socket = await server.inspectSocket(id) { return socket }
    }
    for channel in allChannels {
      let sockets = await channel.inspect().subchannels.flatMap(\.sockets)
      if let socket = sockets.first(where: { $0.name.id == id }) { return socket }
    }
    return nil
  }

  private static func limit(_ maxResults: Int64) throws(RPCError) -> Int {
    guard maxResults >= 0 else { throw RPCError(.invalidArgument, "max_results is negative") }
    return maxResults == 0 ? RPCLimits.inspectionPage : min(Int(maxResults), RPCLimits.inspectionPage)
  }
}
