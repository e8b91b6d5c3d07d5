/// The seam between the RPC core and whatever carries it: HTTP semantics (head, body, trailers), no frames, no
/// sockets. gRPC's own framing lives above it, so that other protocols over HTTP can use the same transports.
///
/// Everything here happens on the stream's executor.

/// The head of a request.
///
/// Its parts lie together on the heap, because every request passes it from hand to hand. A transport that sees the same
/// head again and again on a connection should give the same one again: what the core reads in it was read then.
public struct RequestHead: Sendable {
  private final class Parts: Sendable {
    let method: String
    let path: String
    let scheme: String
    let authority: String
    let headers: HeaderList
    let fields: RequestFields?

    init(
      _ method: String, _ path: String, _ scheme: String, _ authority: String, _ headers: HeaderList,
      _ fields: RequestFields?
    ) {
      self.method = method
      self.path = path
      self.scheme = scheme
      self.authority = authority
      self.headers = headers
      self.fields = fields
    }
  }

  private let parts: Parts

  public var method: String { parts.method }
  public var path: String { parts.path }
  public var scheme: String { parts.scheme }
  public var authority: String { parts.authority }
  public var headers: HeaderList { parts.headers }
  /// What the core reads in the fields.
  var fields: RequestFields { parts.fields ?? RequestFields(headers) }
  /// Whether it is known to be one of gRPC.
  package var isKnownGRPC: Bool { parts.fields?.isGRPC ?? false }

  public init(method: String, path: String, scheme: String, authority: String, headers: HeaderList) {
    parts = Parts(method, path, scheme, authority, headers, nil)
  }

  /// A head that has come to a server: its fields are read here.
  package init(received method: String, path: String, scheme: String, authority: String, headers: HeaderList) {
    parts = Parts(method, path, scheme, authority, headers, RequestFields(headers))
  }
}

/// Who is on the other side of a connection. All calls of a connection share one, which costs little to hand on.
public struct PeerInfo: Sendable, Equatable {
  private final class Parts: Sendable {
    let address: String
    let host: String
    let connection: Int64
    let isEncrypted: Bool
    let identity: PeerIdentity?

    init(address: String, host: String, connection: Int64, isEncrypted: Bool, identity: PeerIdentity?) {
      self.address = address
      self.host = host
      self.connection = connection
      self.isEncrypted = isEncrypted
      self.identity = identity
    }
  }

  private let parts: Parts

  /// `ipv4:127.0.0.1:4711`, `ipv6:[::1]:4711`, `unix:/path` or `inprocess:`.
  public var address: String { parts.address }
  /// The address without its port: whose calls are counted together. Found once for a connection, as it is asked for by
  /// every call.
  public var host: String { parts.host }
  /// Tells the connections of a process apart, also those whose address says nothing, as of a Unix socket; 0 where there
  /// is but one.
  public var connection: Int64 { parts.connection }
  public var isEncrypted: Bool { parts.isEncrypted }
  /// Who the peer has proved to be with a certificate; nil if it was not asked or had none.
  public var identity: PeerIdentity? { parts.identity }

  public init(address: String, isEncrypted: Bool, identity: PeerIdentity? = nil) {
    parts = Parts(
      address: address, host: Self.host(of: address), connection: 0, isEncrypted: isEncrypted, identity: identity)
  }

  /// What is known of a peer once its connection has a number and, later, once it has proved who it is.
  package init(_ peer: PeerInfo, connection: Int64, identity: PeerIdentity?) {
    parts = Parts(
      address: peer.address, host: peer.host, connection: connection, isEncrypted: peer.isEncrypted,
      identity: identity)
  }

  public static func == (a: PeerInfo, b: PeerInfo) -> Bool {
    a.parts === b.parts
      || a.address == b.address && a.connection == b.connection && a.isEncrypted == b.isEncrypted
        && a.identity == b.identity
  }
}

/// Why a stream ended before its regular end. The values are HTTP/2's error codes (RFC 9113 §7). Codes that are not
/// here, known or not, are passed as `.internalError`.
public enum ResetCode: UInt32, Sendable {
  case noError = 0x0
  case protocolError = 0x1
  case internalError = 0x2
  case flowControlError = 0x3
  case settingsTimeout = 0x4
  case streamClosed = 0x5
  case frameSizeError = 0x6
  case refusedStream = 0x7
  case cancel = 0x8
  case compressionError = 0x9
  case connectError = 0xa
  case enhanceYourCalm = 0xb
  case inadequateSecurity = 0xc
  case http11Required = 0xd
}

/// The server's end of one request, given by the transport to the core.
public protocol ServerStream: AnyObject {
  var executor: any CallExecutor { get }
  var peer: PeerInfo { get }

  /// Sends the head of the response, once. With `endStream`, the response has neither body nor trailers, which is
  /// how gRPC's trailers-only answers look.
  func respond(status: Int, headers: HeaderList, endStream: Bool)

  /// Sends a whole response, once: head, body and trailers. Most calls are answered this way, and mostly with the same
  /// two header lists, which share their storage from call to call, so that comparing one to the last is quick.
  func respond(status: Int, headers: HeaderList, body: [UInt8], trailers: HeaderList)

  /// Queues body bytes. The array is shared, not copied, so one encoded event can go to many streams.
  func write(_ bytes: [UInt8])

  /// Ends the response after what is queued; nil ends it without trailers. If the peer has not finished its side, it
  /// is then told to stop (RST_STREAM with NO_ERROR, RFC 9113 §8.1); the same holds for `respond` with `endStream`.
  func finish(trailers: HeaderList?)

  /// Drops what is queued and resets the stream. Harmless after the end.
  func reset(_ code: ResetCode)

  /// Body bytes queued and not yet taken by the connection.
  var queuedBytes: Int { get }

  /// Whether the core is to write on. Otherwise it waits until `ServerStreamHandler.drained` is called. Up to
  /// `StreamWaterMarks.high` there is room always; a transport may know that more will go at once.
  var hasRoom: Bool { get }

  /// Gives the peer `count` more bytes of window: they were received and are no longer held.
  func consumed(_ count: Int)
}

extension ServerStream {
  public var hasRoom: Bool { queuedBytes <= StreamWaterMarks.high }

  public func respond(status: Int, headers: HeaderList, body: [UInt8], trailers: HeaderList) {
    respond(status: status, headers: headers, endStream: false)
    write(body)
    finish(trailers: trailers)
  }
}

/// The core's end of one request, called by the transport.
public protocol ServerStreamHandler: AnyObject {
  /// Body bytes. They are valid during the call only.
  func receive(_ bytes: Span<UInt8>)
  /// The peer has sent everything.
  func receiveEnd()
  /// `receive` and `receiveEnd` in one, for a transport that knows that these bytes are the last: a request that comes
  /// whole is then read where it lies. As ever, the end of a stream gives back the window that was not.
  func receiveLast(_ bytes: Span<UInt8>)
  /// The body is nothing that this request can have, as whoever translates another protocol into this one finds, or it
  /// comes too slowly, as the transport finds: the answer is to be this error. Nothing happens if there is an answer
  /// already.
  func fail(_ error: RPCError)
  /// `queuedBytes` fell from above `StreamWaterMarks.low` to it or below.
  func drained()
  /// The stream is gone: after a regular end (nil), a reset by the peer, or the loss of the connection. Called
  /// exactly once, and nothing after it.
  func closed(_ reason: StreamClosure?)

  /// Whether part of a message is there, or the request is to be one message: as long as the request has not ended and
  /// the peer has window, the rest is its to send.
  var isMidMessage: Bool { get }

  /// What went through so far, for whoever inspects the transport.
  var progress: CallProgress { get }
}

extension ServerStreamHandler {
  public var isMidMessage: Bool { false }
  public var progress: CallProgress { CallProgress() }
}

extension RPCError {
  /// What a call ends with of which a message came too slowly, as a transport finds. The time for it is over, as with
  /// a deadline that the client did not set: so clients take it for a slow network and not, as RESOURCE_EXHAUSTED would
  /// say, for a server or a quota that needs a rest; and none repeats it by itself, since the next attempt would come
  /// as slowly.
  public static let slowMessage = RPCError(.deadlineExceeded, "a message of the request came too slowly")
}

/// How far a call is, as its transport shows it to operators.
public struct CallProgress: Sendable, Equatable {
  public var counts: CallCounts
  /// nil while the call goes on, or if whoever handles it knows no status.
  public var status: StatusCode?

  public init(counts: CallCounts = CallCounts(), status: StatusCode? = nil) {
    self.counts = counts
    self.status = status
  }
}

extension ServerStreamHandler {
  public func receiveLast(_ bytes: Span<UInt8>) {
    receive(bytes)
    receiveEnd()
  }

  /// For handlers that no translator stands before.
  public func fail(_ error: RPCError) {}
}

/// How a stream ended irregularly.
public enum StreamClosure: Error, Sendable, Equatable {
  /// The peer reset the stream.
  case reset(ResetCode)
  /// The connection went away; nothing is known of what the peer did.
  case connectionLost(String)
  /// The peer certainly did not process the request (GOAWAY below its id, REFUSED_STREAM): safe to retry.
  case refused
  /// The connection took no more requests or went away, for the reason given, before anything of this one was sent: safe
  /// to retry.
  case unsent(String)
  /// No connection could be made, for the reason given: the peer has seen nothing.
  case unreachable(String)
  /// This side is shutting down and the time for draining is over.
  case shutdown
}

/// The core of a server, as transports see it.
public protocol RequestAcceptor: Sendable {
  /// A request has begun. Called on the stream's executor. The handler may respond during the call.
  func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler
}
