public import ProtobufRuntime

/// How much a stream may hold of what is on its way out. One pair of marks for all transports, because the core and
/// the transport must agree on them.
public enum StreamWaterMarks {
  /// The core stops writing above this. Large enough to keep a fast connection busy for a tick of its event loop.
  public static let high = 64 << 10
  /// A transport calls `drained` when the queue has fallen to this. Far below `high`, so that a writer wakes up for a
  /// good piece of work.
  public static let low = 16 << 10
}

/// What a peer can make the core hold or do. How many bytes of a stream may be in flight is the transport's limit; the
/// core holds unread messages only within it.
public struct RPCLimits: Sendable {
  /// The greatest length of a received message in bytes, compressed and decompressed; 4 MiB is what all gRPC libraries
  /// choose.
  public var messageBytes: Int
  /// How many bytes of messages that are not whole a server holds, over all calls: no window of the transport bounds
  /// them, because a message may be longer than any. They come before anybody is authenticated, and a client may begin
  /// thousands of them and end none.
  public var gatheredBytes: Int
  /// What decoding one message may cost. Memory is a multiple of `messageBytes`, because small fields grow when they
  /// are decoded.
  public var decoding: DecodeLimits
  /// The deadline of a unary call that has none from its client or its method; nil leaves it without. A stream has no
  /// such deadline: it may be meant to be open for days.
  public var defaultDeadline: Duration?
  /// The longest deadline that a client can ask for; an hour is longer than any call but a watch makes sense, and
  /// watches are resumed. nil for no bound.
  public var longestDeadline: Duration?
  /// How long a call that ended at its deadline may wait for the peer to take the status, before the stream is reset.
  public var closingGrace: Duration
  /// How long requests may wait for their event loop, all of them and for a while, before calls are refused with
  /// UNAVAILABLE, those of low priority first; nil refuses none. See `LoadShedder`. A loop that is well holds requests
  /// for less than a millisecond; 20 to 50 ms are beyond what any burst explains and still below what a user notices.
  public var queueDelay: Duration?
  /// How the messages of answers are compressed whose handlers do not say, for clients that can read it. None by
  /// default: within a data centre the network is cheaper than the processor.
  public var responseCompression: MessageEncoding

  public init(
    messageBytes: Int = 4 << 20, gatheredBytes: Int = 256 << 20, decoding: DecodeLimits = .default,
    defaultDeadline: Duration? = nil, longestDeadline: Duration? = nil, closingGrace: Duration = .seconds(2),
    responseCompression: MessageEncoding = .identity, queueDelay: Duration? = nil
  ) {
    self.messageBytes = messageBytes
    self.gatheredBytes = gatheredBytes
    self.decoding = decoding
    self.defaultDeadline = defaultDeadline
    self.longestDeadline = longestDeadline
    self.closingGrace = closingGrace
    self.responseCompression = responseCompression
    self.queueDelay = queueDelay
  }

  /// How long a call may take whose client asks for `requested`; nil for no bound.
  /// - Parameters:
  ///   - kind: a stream has no `defaultDeadline`.
  ///   - methodDefault: its method's `MethodPolicy.defaultDeadline`.
  ///   - methodLongest: its method's `MethodPolicy.longestDeadline`.
  func timeout(
    _ kind: MethodKind, default methodDefault: Duration?, longest methodLongest: Duration?, requested: Duration?
  ) -> Duration? {
    let fallback = kind == .unary ? defaultDeadline : nil
    guard var timeout = requested ?? methodDefault ?? methodLongest ?? fallback ?? longestDeadline else { return nil }
    if let methodLongest { timeout = min(timeout, methodLongest) }
    if let longestDeadline { timeout = min(timeout, longestDeadline) }
    return timeout
  }

  /// A receive buffer of up to this size is kept for the next messages; a greater one is freed when it is empty. Four
  /// of HTTP/2's default windows.
  static let retainedBufferBytes = 256 << 10
  /// A receive buffer that is empty is freed above this size when its reader waits: a stream may be idle for hours. The
  /// size of HTTP/2's usual frame.
  static let idleBufferBytes = 16 << 10
  /// A whole request of up to this size is not counted in `gatheredBytes`: it takes no more than the call itself, and to
  /// count it would cost every call.
  static let uncountedRequestBytes = 4 << 10
  /// Window is given back to the peer in pieces of at least this size while messages are waiting: less would cost a
  /// WINDOW_UPDATE for every small message, more could starve HTTP/2's smallest usual window of 64 KiB.
  static let windowReturnBytes = 8 << 10
  /// How many bytes of messages an event loop decompresses in one tick; the last may exceed it by `messageBytes`. Two
  /// milliseconds of work for what shrinks well, as TLS handshakes have; an honest message is far shorter. Of what waits
  /// for later ticks there is one message of a call: see `InflateTurns`.
  static let inflatedBytesPerTick = 1 << 20
  /// How long messages that are joined for many streams become, in bytes: a frame's usual length, so that a batch goes
  /// out as one, and a quarter of the high-water mark, so that a slow reader misses little when it is full.
  public static let batchBytes = 16 << 10
  /// Messages shorter than this, with their prefix, are not compressed: gzip's frame alone takes 18 bytes, and to set up
  /// a compressor takes longer than to send them.
  static let compressedFromBytes = 128
  /// The longest status message sent, in bytes: with its percent-encoding it must fit the peer's header limit, which
  /// is often 8 KiB.
  static let statusMessageBytes = 1 << 10
  /// The most bytes of status details sent, before base 64: more than peers accept in their header lists is left out.
  static let statusDetailsBytes = 4 << 10
  /// The most bytes of texts in a `google.rpc.BadRequest`: what `statusDetailsBytes` leaves beside an ErrorInfo and the
  /// framing of each violation.
  static let violationsBytes = 2 << 10
  /// How long every request must have waited before a queue counts as standing; CoDel's interval, which no burst of a
  /// healthy server fills.
  static let queueDelayInterval: Duration = .milliseconds(100)
  /// How long a client is asked to stay away that was refused for load: between once and three times this, so that
  /// those who were refused together do not come back together.
  static let shedRetryDelay: Duration = .milliseconds(500)
  /// How long a client is asked to stay away that found no room: the server ends, calls of the method are under way, too
  /// much is unfinished. Long enough for most calls to end, short enough that nobody gives up.
  package static let retryDelay: Duration = .seconds(1)
  /// How many times as long as one of low priority a call of normal priority may have waited before it is refused for load:
  /// refusing the former alone ends a moderate overload.
  static let normalPatience: Int64 = 2
  /// The same for high priority, which ends or confirms what was begun: with the default of 20 to 50 ms still within half a
  /// second, in which its client is there yet.
  static let highPatience: Int64 = 8
  /// How often one caller may call ordinary methods: no person makes a hundred calls a second, and a page that begins may
  /// make hundreds at once.
  public static let standardRate = Rate(perSecond: 100, burst: 400)
  /// The same for methods that burn CPU or memory on purpose: five a second are half a processor at a tenth of a second
  /// each. So many at once may come from behind one address, as when an office begins its day.
  public static let expensiveRate = Rate(perSecond: 5, burst: 500)
  /// The same for what machines send many times a second: each of a vehicle's sensors at 10 Hz, and what was kept while
  /// there was no network.
  public static let telemetryRate = Rate(perSecond: 50, burst: 200)
  /// How many callers' buckets `RateLimiter` keeps. One that was forgotten is full again, so this bounds memory, not
  /// fairness, unless somebody calls from tens of thousands of addresses at once.
  static let rateLimitedCallers = 65_536
  /// How many servers, channels or sockets one answer of channelz tells of at most.
  public static let inspectionPage = 100
  /// How many events of a channel or subchannel are kept for channelz: several rounds of losing a connection and making
  /// it again, at about 200 bytes each.
  public static let tracedEvents = 32
  /// The longest text of such an event, in Unicode scalars: it can hold what a server has said.
  public static let tracedCharacters = 256
  /// Bytes of a stream within the process that may be on their way, and of one piece of them: HTTP/2's initial window and
  /// frame size, so that tests over that transport meet the same limits.
  static let inProcessWindow = 64 << 10
  /// See `inProcessWindow`.
  static let inProcessFrame = 16 << 10
  /// How many violations the text of an INVALID_ARGUMENT names; the details have them all.
  static let violationsInMessage = 3

  /// How many calls of a transport wait for the service config that it has to look up first, at most; as many as wait for
  /// a connection.
  static let callsAwaitingConfig = 10_000
  /// The most tokens that a service config may give a channel's retries (gRPC's A6).
  static let retryTokens = 1000
  /// The most attempts of one call, whatever its policy says; what all gRPC libraries choose.
  static let maxAttempts = 5
  /// The bytes of its request that a call keeps to send them again; beyond, its present attempt is its last. gRPC's C
  /// library keeps as many: longer requests are uploads, which the one attempt has mostly delivered by then.
  static let retryBufferBytesPerCall = 256 << 10
  /// The same for all calls of a channel, but for those of one message that have no policy: 64 full ones. Beyond, calls
  /// have one attempt.
  static let retryBufferBytesPerChannel = 16 << 20
  /// How often a call is sent again of which nothing was sent before its connection broke. Each time has a new connection:
  /// more than break so by chance, and few enough for a server that breaks each one.
  static let unsentRetries = 8
}

/// What peers can make plain requests hold.
public struct PlainLimits: Sendable {
  /// Requests that are answered at the same time; one more gets 503. Each holds a piece of what it reads, a quarter of a
  /// mebibyte in all, and an open file: half of those that a folder of blobs may have open.
  public var requests = 1024
  /// A peer that takes nothing of what is queued for so long is given up, as media players that were paused are: they ask
  /// for the rest when they need it.
  public var stallTime = Duration.seconds(60)

  public init() {}
}
