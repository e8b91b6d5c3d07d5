/// Every limit of the HTTP/2 transports, with its default and the reason for it: what a peer can make us hold or do.
public struct HTTP2Limits: Sendable {
  // MARK: Offered to the peer

  /// Streams that a client may have open on one connection (SETTINGS_MAX_CONCURRENT_STREAMS). Many gRPC clients put
  /// all calls on one connection; a stream costs about 1 KB plus what its handler holds.
  public var maxConcurrentStreams = 1024

  /// Bytes of one stream that may be on the way or held by its handler (SETTINGS_INITIAL_WINDOW_SIZE). One MiB lets a
  /// single upload run at memory speed on a local network, and at 10 MB/s over 100 ms.
  public var streamWindow = 1 << 20

  /// The same for a connection. Sixteen streams may stall with a full window before they hold up the others.
  public var connectionWindow = 16 << 20

  /// Size of a header list as RFC 9113 §6.5.2 counts it (SETTINGS_MAX_HEADER_LIST_SIZE). gRPC's own default is 8 KiB
  /// of metadata; doubled, because tokens are long. A larger request is answered with 431.
  public var maxHeaderListSize = 16 << 10

  /// Fields in one header list. The size already bounds it at 512 (32 are counted for each); most requests have ten.
  public var maxHeaderFields = 200

  // MARK: What a peer may do

  /// A header list larger than this many times `maxHeaderListSize` ends the connection (ENHANCE_YOUR_CALM): to
  /// decompress it at all is work for nothing.
  public var headerBombFactor = 16

  /// Streams that ended by a reset, from either side but not by the handler's wish: a burst of this many, then
  /// `resetsPerSecond`. Ends the connection with ENHANCE_YOUR_CALM (CVE-2023-44487 "rapid reset", "made you reset").
  public var resetBurst = 1000
  /// See `resetBurst`. Clients that cancel a lot, say hedged calls, stay well below.
  public var resetsPerSecond = 200

  /// Frames that carry nothing forward (PING, SETTINGS, PRIORITY, empty DATA, unknown types): a burst of this many,
  /// then `idleFramesPerSecond`. Ends the connection with ENHANCE_YOUR_CALM.
  public var idleFrameBurst = 2000
  /// See `idleFrameBurst`. Some clients measure their window with one PING for each few DATA frames.
  public var idleFramesPerSecond = 1000

  /// Answers to PING and SETTINGS that wait because the peer does not read; beyond, the connection ends.
  public var maxQueuedAcknowledgements = 1000

  /// Control and header frames that wait because the peer does not read; beyond, the connection ends.
  public var maxQueuedFrames = 10_000

  /// CONTINUATION frames in one header block; nghttp2's own default. 8 × 16 KiB is beyond every header limit.
  public var maxContinuations = 8

  /// Skipped ranges of stream ids that a connection remembers, to tell a never-opened stream from a closed one.
  public var maxSkippedRanges = 64

  /// Connections of one server; more are closed at once. At 40 KB each (TLS) this many take 4 GB.
  public var maxConnections = 100_000

  /// Time for TLS and for the client's first SETTINGS, then the connection is closed (slow preface).
  public var handshakeTimeout: Duration = .seconds(10)

  /// Time to complete a header block once it has begun (slow headers).
  public var headerTimeout: Duration = .seconds(10)

  /// Time between two takings of a peer for which there is something to send. Without it, one that reads nothing would
  /// keep its calls for ever, as not even their resets reach it.
  public var sendTimeout: Duration = .seconds(60)

  /// Time that a closed connection waits for the peer's end, so that the last frames are not lost in a TCP reset.
  public var lingerTimeout: Duration = .seconds(1)

  /// Time between the two GOAWAYs of a drain: the first must have reached the peer, so that requests on their way are
  /// still served. The answer to a PING ends the wait sooner.
  public var drainNoticeTimeout: Duration = .seconds(1)

  // MARK: Client

  /// Requests that wait for a connection or for a free stream; beyond, they are refused.
  public var maxQueuedRequests = 10_000

  /// Time to connect, with TLS and SETTINGS, to one address.
  public var connectTimeout: Duration = .seconds(20)

  /// The wait after a failed attempt to connect grows from `backoffBase` by the factor 1.6 to `backoffMaximum`, give
  /// or take a fifth, as gRPC's connection backoff protocol has it.
  public var backoffBase: Duration = .seconds(1)
  /// See `backoffBase`.
  public var backoffMaximum: Duration = .seconds(120)

  public init() {}
}

/// The limits of a server or client, shared by its connections: a copy would make each of them half a KB larger.
final class SharedLimits: Sendable {
  let values: HTTP2Limits

  init(_ values: HTTP2Limits) {
    self.values = values
  }
}

extension HTTP2Limits {
  // MARK: Sizes that are nobody's choice

  /// Received bytes that are taken in one system call: sixteen full frames.
  static let readBufferSize = 256 << 10

  /// Seconds of silence after which TCP asks whether the peer is still there.
  static let keepAliveIdleSeconds: Int32 = 60
  /// Seconds between these questions.
  static let keepAliveProbeSeconds: Int32 = 15
  /// Questions without an answer after which the connection is lost.
  static let keepAliveProbes: Int32 = 4

  /// The delay of a timer that never goes off, in nanoseconds: a century.
  static let farthestTimer: Int64 = 36_500 * 86_400 * 1_000_000_000

  /// Reads of one connection in one tick before others get their turn.
  static let readsPerTick = 4

  /// Frames are gathered up to this many bytes for one write.
  static let outputBatchSize = 256 << 10

  /// Writes of one connection in one tick before others get their turn.
  static let writesPerTick = 4

  /// Events taken from epoll at once.
  static let eventsPerPoll = 512

  /// How often work that queues further work is continued before sockets get their turn.
  static let workRoundsPerTick = 16

  /// Connections accepted in one tick.
  static let acceptsPerTick = 256

  /// The queue of connections not yet accepted; the kernel caps it at net.core.somaxconn. 10,000 clients may come at
  /// once after a restart.
  static let backlog = 16_384

  /// So many connections must close, and more than are left, before freed memory is given back to the system. At
  /// 14 KB each that is 14 MB.
  static let closedConnectionsPerTrim = 1000

  /// The pause of a listener when no descriptor is left.
  static let acceptPause: Duration = .milliseconds(100)

  /// Free blocks that a loop keeps for each size class of 16 octets: at most 64 classes × 512 × 0.5 KB = 16 MB, in
  /// practice one tenth, as few classes are in use.
  static let freeBlocksPerClass = 512

  /// Concurrent streams that a client assumes before the server has said its limit (RFC 9113 §6.5.2 recommends no
  /// fewer than 100).
  static let assumedConcurrentStreams = 100
}
