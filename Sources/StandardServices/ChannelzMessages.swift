internal import Base
internal import ChannelzAPI
internal import RPC
internal import WellKnownTypes

// What is inspected, in the messages of channelz.

extension ServerRef {
  init(_ name: InspectionName) {
    self.init()
    serverID = name.id
    self.name = name.text
  }
}

extension SocketRef {
  init(_ name: InspectionName) {
    self.init()
    socketID = name.id
    self.name = name.text
  }
}

extension ChannelRef {
  init(_ name: InspectionName) {
    self.init()
    channelID = name.id
    self.name = name.text
  }
}

extension SubchannelRef {
  init(_ name: InspectionName) {
    self.init()
    subchannelID = name.id
    self.name = name.text
  }
}

extension Server {
  init(_ server: InspectedServer) {
    self.init()
    ref = ServerRef(server.name)
    var data = ServerData()
    data.callsStarted = Int64(server.calls.started)
    data.callsSucceeded = Int64(server.calls.succeeded)
    data.callsFailed = Int64(server.calls.failed)
    data.lastCallStartedTimestamp = server.calls.lastStarted.map { Timestamp($0) }
    self.data = data
    listenSocket = server.listenSockets.map { SocketRef($0) }
  }
}

extension ChannelData {
  init(state: ConnectivityState, target: String, trace: InspectedTrace?, calls: CallTotals) {
    self.init()
    var connectivity = ChannelConnectivityState()
    connectivity.state =
      switch state {
      case .idle: .idle
      case .connecting: .connecting
      case .ready: .ready
      case .transientFailure: .transientFailure
      case .shutdown: .shutdown
      }
    self.state = connectivity
    self.target = target
    self.trace = trace.map { ChannelTrace($0) }
    callsStarted = Int64(calls.started)
    callsSucceeded = Int64(calls.succeeded)
    callsFailed = Int64(calls.failed)
    lastCallStartedTimestamp = calls.lastStarted.map { Timestamp($0) }
  }
}

extension ChannelTrace {
  init(_ trace: InspectedTrace) {
    self.init()
    numEventsLogged = Int64(trace.count)
    creationTimestamp = Timestamp(trace.created)
    events = trace.events.map { ChannelTraceEvent($0) }
  }
}

extension ChannelTraceEvent {
  init(_ event: InspectedEvent) {
    self.init()
    description = event.text
    severity =
      switch event.severity {
      case .info: .ctInfo
      case .warning: .ctWarning
      case .error: .ctError
      }
    timestamp = Timestamp(event.time)
    childRef = event.subchannel.map { .subchannelRef(SubchannelRef($0)) }
  }
}

extension Channel {
  init(_ channel: InspectedChannel) {
    self.init()
    ref = ChannelRef(channel.name)
    data = ChannelData(
      state: channel.state, target: channel.target, trace: channel.trace, calls: channel.calls)
    subchannelRef = channel.subchannels.map { SubchannelRef($0.name) }
  }
}

extension Subchannel {
  init(_ subchannel: InspectedSubchannel) {
    self.init()
    ref = SubchannelRef(subchannel.name)
    data = ChannelData(
      state: subchannel.state, target: subchannel.target, trace: subchannel.trace, calls: subchannel.calls)
    socketRef = subchannel.sockets.map { SocketRef($0.name) }
  }
}

extension Socket {
  init(_ socket: InspectedSocket) {
    self.init()
    ref = SocketRef(socket.name)
    data = SocketData(socket)
    local = socket.local.map { Address($0) }
    remote = socket.remote.map { Address($0) }
    security = socket.tls.map { Security($0) }
  }
}

extension SocketData {
  init(_ socket: InspectedSocket) {
    self.init()
    streamsStarted = Int64(socket.streamsStarted)
    streamsSucceeded = Int64(socket.streamsSucceeded)
    streamsFailed = Int64(socket.streamsFailed)
    messagesSent = Int64(socket.messagesSent)
    messagesReceived = Int64(socket.messagesReceived)
    keepAlivesSent = Int64(socket.keepalivesSent)
    lastLocalStreamCreatedTimestamp = socket.lastLocalStream.map { Timestamp($0) }
    lastRemoteStreamCreatedTimestamp = socket.lastRemoteStream.map { Timestamp($0) }
    lastMessageSentTimestamp = socket.lastMessageSent.map { Timestamp($0) }
    lastMessageReceivedTimestamp = socket.lastMessageReceived.map { Timestamp($0) }
    localFlowControlWindow = socket.receiveWindow.map { Int64Value($0) }
    remoteFlowControlWindow = socket.sendWindow.map { Int64Value($0) }
  }
}

extension Address {
  init(_ inspected: InspectedAddress) {
    self.init()
    switch inspected {
    case .ip(let octets, let port):
      var address = TcpIpAddress()
      address.ipAddress = octets
      address.port = Int32(port)
      self.address = .tcpipAddress(address)
    case .unix(let path):
      var address = UdsAddress()
      address.filename = path
      self.address = .udsAddress(address)
    }
  }
}

extension Security {
  init(_ inspected: InspectedTLS) {
    self.init()
    var tls = Tls()
    tls.cipherSuite = .standardName(inspected.cipherSuite)
    tls.localCertificate = inspected.localCertificate ?? []
    tls.remoteCertificate = inspected.remoteCertificate ?? []
    model = .tls(tls)
  }
}

extension Int64Value {
  init(_ value: Int) {
    self.init()
    self.value = Int64(value)
  }
}

extension Timestamp {
  init(_ instant: Instant) {
    self.init()
    seconds = Int64((Double(instant.nanoseconds) / 1e9).rounded(.down))
    nanos = Int32(instant.nanoseconds - seconds * 1_000_000_000)
  }
}
