public import Base
internal import Synchronization

/// Something that an operator can look at: a server, a channel, a subchannel or a socket.
public struct InspectionName: Sendable, Hashable {
  /// Unique among all such things of the process; greater for what was made later.
  public var id: Int64
  /// For people.
  public var text: String

  public init(id: Int64, text: String) {
    self.id = id
    self.text = text
  }
}

/// Gives servers, channels and sockets their ids: 1, 2, 3 … in the order in which they are made.
public enum InspectionID {
  private static let issued = Atomic<Int64>(0)

  /// An id that nothing else in the process has.
  public static func next() -> Int64 { issued.add(1, ordering: .relaxed).newValue }
}

/// What a server or channel counts of its calls.
public struct CallTotals: Sendable, Equatable {
  public var started = 0
  /// Ended with OK.
  public var succeeded = 0
  /// Ended with anything else.
  public var failed = 0
  /// nil if there was none.
  public var lastStarted: Instant?

  public init() {}

  public static func += (total: inout CallTotals, part: CallTotals) {
    total.started += part.started
    total.succeeded += part.succeeded
    total.failed += part.failed
    total.lastStarted = [total.lastStarted, part.lastStarted].compactMap(\.self).max()
  }
}

/// Where an end of a socket is.
public enum InspectedAddress: Sendable, Hashable {
  /// 4 or 16 octets in network order.
  case ip([UInt8], port: UInt16)
  case unix(path: String)
}

/// How a connection is secured.
public struct InspectedTLS: Sendable, Equatable {
  /// The cipher suite's name in the IANA registry.
  public var cipherSuite: String
  /// Certificates in DER; nil for an end that has shown none.
  public var localCertificate: [UInt8]?
  public var remoteCertificate: [UInt8]?

  public init(cipherSuite: String, localCertificate: [UInt8]?, remoteCertificate: [UInt8]?) {
    self.cipherSuite = cipherSuite
    self.localCertificate = localCertificate
    self.remoteCertificate = remoteCertificate
  }
}

/// A connection, or a socket that listens.
public struct InspectedSocket: Sendable, Equatable {
  public var name: InspectionName
  public var local: InspectedAddress?
  /// nil for a socket that listens.
  public var remote: InspectedAddress?
  public var tls: InspectedTLS?
  public var streamsStarted = 0
  public var streamsSucceeded = 0
  public var streamsFailed = 0
  public var messagesSent = 0
  public var messagesReceived = 0
  public var keepalivesSent = 0
  /// When this end, or the other, last began a stream.
  public var lastLocalStream: Instant?
  public var lastRemoteStream: Instant?
  public var lastMessageSent: Instant?
  public var lastMessageReceived: Instant?
  /// Bytes that the other end may send, and that this end may.
  public var receiveWindow: Int?
  public var sendWindow: Int?

  public init(name: InspectionName) {
    self.name = name
  }
}

/// A server and where it listens.
public struct InspectedServer: Sendable, Equatable {
  public var name: InspectionName
  public var calls: CallTotals
  public var listenSockets: [InspectionName]

  public init(name: InspectionName, calls: CallTotals, listenSockets: [InspectionName]) {
    self.name = name
    self.calls = calls
    self.listenSockets = listenSockets
  }
}

/// What a client's channel is doing, as gRPC names it (its doc/connectivity-semantics-and-api.md).
public enum ConnectivityState: Sendable, Hashable {
  /// There is no connection and nobody wants one.
  case idle
  /// A connection is being made.
  case connecting
  /// There is a connection.
  case ready
  /// No connection can be made for now; it will be tried again.
  case transientFailure
  /// The channel is shut down, for good.
  case shutdown
}

/// Something that happened to a channel or subchannel.
public struct InspectedEvent: Sendable, Equatable {
  public enum Severity: Sendable, Equatable {
    case info
    case warning
    case error
  }

  /// What, for people.
  public var text: String
  public var severity: Severity
  public var time: Instant
  /// The subchannel that came or went; nil for what concerns the thing itself.
  public var subchannel: InspectionName?

  public init(_ text: String, severity: Severity = .info, time: Instant, subchannel: InspectionName? = nil) {
    self.text = text
    self.severity = severity
    self.time = time
    self.subchannel = subchannel
  }
}

/// What happened to a channel or subchannel: the latest events, the last one at the end.
public struct InspectedTrace: Sendable, Equatable {
  /// When it was made.
  public let created: Instant
  /// How many events there were, with those that are not kept.
  public private(set) var count = 0
  /// At most `RPCLimits.tracedEvents`.
  public private(set) var events: [InspectedEvent] = []

  public init(created: Instant) {
    self.created = created
  }

  /// Adds an event and forgets the oldest, if there are too many. A text that is too long is cut.
  public mutating func add(_ event: InspectedEvent) {
    count += 1
    if events.count >= RPCLimits.tracedEvents { events.removeFirst() }
    events.append(event)
    // Scalars, as one character may have any number of them.
    let scalars = event.text.unicodeScalars
    if let end = scalars.index(scalars.startIndex, offsetBy: RPCLimits.tracedCharacters, limitedBy: scalars.endIndex),
      end < scalars.endIndex
    {
      events[events.count - 1].text = String(scalars[..<scalars.index(before: end)]) + "…"
    }
  }
}

/// A client's view of one target.
public struct InspectedChannel: Sendable, Equatable {
  public var name: InspectionName
  public var target: String
  public var state: ConnectivityState
  public var trace: InspectedTrace?
  public var calls: CallTotals
  public var subchannels: [InspectedSubchannel]

  public init(
    name: InspectionName, target: String, state: ConnectivityState, trace: InspectedTrace? = nil, calls: CallTotals,
    subchannels: [InspectedSubchannel]
  ) {
    self.name = name
    self.target = target
    self.state = state
    self.trace = trace
    self.calls = calls
    self.subchannels = subchannels
  }
}

/// What a channel balances over.
public struct InspectedSubchannel: Sendable, Equatable {
  public var name: InspectionName
  public var target: String
  public var state: ConnectivityState
  public var trace: InspectedTrace?
  public var calls: CallTotals
  public var sockets: [InspectedSocket]

  public init(
    name: InspectionName, target: String, state: ConnectivityState, trace: InspectedTrace? = nil, calls: CallTotals,
    sockets: [InspectedSocket]
  ) {
    self.name = name
    self.target = target
    self.state = state
    self.trace = trace
    self.calls = calls
    self.sockets = sockets
  }
}

/// A server that can be looked at. From any thread but those of its loops' synchronous work.
public protocol InspectableServer: AnyObject, Sendable {
  var inspectionID: Int64 { get }

  /// The server, with the calls of all its connections.
  func inspect() async -> InspectedServer

  /// Connections with this id or a greater one, by ascending id.
  /// - Returns: at most `limit`, and whether there are no more.
  func connections(from id: Int64, limit: Int) -> (names: [InspectionName], isEnd: Bool)

  /// A connection or listening socket; nil if it is not (any more) the server's.
  func inspectSocket(_ id: Int64) async -> InspectedSocket?
}

/// A client's channel that can be looked at.
public protocol InspectableChannel: AnyObject, Sendable {
  var inspectionID: Int64 { get }

  /// The channel with all that is below it.
  func inspect() async -> InspectedChannel
}
