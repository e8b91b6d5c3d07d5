internal import Base

/// Every limit of the HTTP/2 transports, with its default and the reason for it: what a peer can make us hold or do.
public struct HTTP2Limits: Sendable {
  // MARK: Offered to the peer

  /// Streams that a client may have open on one connection (SETTINGS_MAX_CONCURRENT_STREAMS). Many gRPC clients put
  /// all calls on one connection; a stream costs about 1 KB plus what its handler holds.
  public var maxConcurrentStreams = 1024

  /// Bytes of one stream that may be on the way or held by its handler (SETTINGS_INITIAL_WINDOW_SIZE), to begin with. It
  /// grows as a connection's handlers take more in a round trip than it lets through: see `ReceiveWindow`.
  public var streamWindow = 256 << 10

  /// What `streamWindow` grows to at most: 40 MB/s over 100 ms. A handler that does not read makes nothing grow.
  public var maxStreamWindow = 4 << 20

  /// The window of a connection to begin with: sixteen streams may stall before they hold up the others. It grows with
  /// `streamWindow`.
  public var connectionWindow = 4 << 20

  /// What `connectionWindow` grows to at most, and with it what the handlers of one connection hold unread.
  public var maxConnectionWindow = 16 << 20

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

  /// Frames that carry nothing forward (PING, SETTINGS, PRIORITY, empty DATA, unknown types, and WINDOW_UPDATE beyond one
  /// for each `octetsPerWindowUpdate` that were sent): a burst of this many, then `idleFramesPerSecond`. Ends the
  /// connection with ENHANCE_YOUR_CALM.
  public var idleFrameBurst = 2000
  /// See `idleFrameBurst`. Some clients measure their window with one PING for each few DATA frames.
  public var idleFramesPerSecond = 1000

  /// Answers to PING and SETTINGS that wait because the peer does not read; beyond, the connection ends.
  public var maxQueuedAcknowledgements = 1000

  /// Control and header frames that wait because the peer does not read; beyond, the connection ends.
  public var maxQueuedFrames = 10_000

  /// CONTINUATION frames in one header block. 8 × 16 KiB is beyond every header limit.
  public var maxContinuations = 8

  /// Times that a client may pass over stream ids; all are remembered, to tell a never-opened stream from a closed one.
  /// One more ends the connection with ENHANCE_YOUR_CALM, and from half of them on it is drained: few clients skip ids at
  /// all, and only for calls that they give up. At 8 bytes each, 8 KB.
  public var maxSkippedRanges = 1024

  /// Streams that a connection has reset and remembers, because frames on them may be under way still. More at a time
  /// are rare; then such a frame costs one more RST_STREAM.
  public var maxRememberedResets = 256

  /// Connections of one server; more are closed at once. At 40 KB each (TLS) this many take 4 GB.
  public var maxConnections = 100_000

  /// Connections of one IPv4 address, or of one IPv6 /64; more are closed at once. Generous, because a company or a mobile
  /// network can stand behind one address; still, one alone cannot take all of `maxConnections`.
  public var maxConnectionsPerAddress = 4096

  /// Whether loopback addresses count as well: proxies and tests on the same host come from there. Unix sockets never do.
  public var limitsLoopback = false

  /// Bytes that a server holds for its peers, over all connections: answers that they do not take, bodies that no handler
  /// has read, and long heads. Thousands of connections with a thousand streams each could hold more than there is. Who
  /// holds most for longest loses it: see `HeldBytes`. Enough for 8000 streams that do not move.
  public var heldBytes = 512 << 20

  /// Time for TLS and for the client's first SETTINGS, then the connection is closed (slow preface).
  public var handshakeTimeout: Duration = .seconds(10)

  /// TLS handshakes of clients that are unfinished at a time, on each loop; beyond, one picked at random is given up. At
  /// about 60 KB each that is 250 MB a loop, and `handshakeTimeout` ends those that do not go on.
  public var maxHandshakes = 4096

  /// Time to complete a header block once it has begun (slow headers).
  public var headerTimeout: Duration = .seconds(10)

  /// Time between two arrivals of octets while an HTTP/1 request's body is awaited: it holds its connection, also when
  /// nobody wants the body any more. What comes is judged by `messagePeriod` as well.
  public var bodyTimeout: Duration = .seconds(60)

  /// The period in which a message of a request that has begun must become whole, or bring `minReceiveRate` (slow
  /// bodies); else its call ends with DEADLINE_EXCEEDED. Twice the period in the worst case. Between its messages a
  /// stream may rest for as long as it likes; the one message of a unary call is awaited from its head on. A peer whose
  /// window we keep shut is not judged. nil switches it off. Of a server only.
  public var messagePeriod: Duration? = .seconds(60)

  /// Octets a second that a message must bring on average over `messagePeriod`: one octet now and then must not hold a
  /// call and what has come of it. As `minSendRate` on the other way.
  public var minReceiveRate = 512

  /// Time in which a message must be whole, a `messagePeriod` more in the worst case. At the rate of the slowest mobile
  /// networks, 5 KB/s, these are the 4 MiB that a message may have by default; at `minReceiveRate` alone a few dozen
  /// calls could hold all of `RPCLimits.gatheredBytes` for hours.
  public var messageTimeout: Duration = .seconds(900)

  /// Time that an HTTP/1 connection may be idle between two requests, and before the first. Browsers and proxies keep
  /// theirs for one to two minutes.
  public var requestIdleTimeout: Duration = .seconds(120)

  /// Octets of chunk extensions in one HTTP/1 body. Nobody is known to use any; they are work that brings nothing
  /// (CVE-2023-39326).
  public var maxChunkExtensions = 1 << 10

  /// Octets of an HTTP/1 body that are thrown away when its request was answered early, so that the connection can be
  /// used again; one with more to come is closed. What a new connection with TLS would cost.
  public var maxDiscardedBody = 256 << 10

  /// The period in which a peer for which octets wait must take all of them, or `minSendRate` at least. Without it, one
  /// that reads nothing would keep its calls for ever, as not even their resets reach it.
  public var sendTimeout: Duration = .seconds(60)

  /// Octets a second that a peer for which octets wait must take, on average over `sendTimeout`: one octet now and then
  /// must not keep up to 256 KiB and all calls. The slowest mobile networks carry ten times this.
  public var minSendRate = 512

  /// The period in which a stream that has something to send must get rid of it, or of `minSendRate` at least, for all
  /// that its window allows; else it is reset. A window that the peer keeps shut must not hold memory and a handler for
  /// ever. Twice the period in the worst case. nil switches it off. Of a server only.
  public var stallTimeout: Duration? = .seconds(300)

  /// Time that a closed connection waits for the peer's end, so that the last frames are not lost in a TCP reset.
  public var lingerTimeout: Duration = .seconds(1)

  /// Time between the two GOAWAYs of a drain: the first must have reached the peer, so that requests on their way are
  /// still served. The answer to a PING ends the wait sooner.
  public var drainNoticeTimeout: Duration = .seconds(1)

  // MARK: Keepalive and age

  /// Silence after which a server asks for a sign of life with a PING; twice that in the worst case. gRPC's default:
  /// TCP's own keepalive finds hosts that are gone, this one processes that hang. nil switches it off.
  public var keepAliveTime: Duration? = .seconds(7200)

  /// The same for a client; never under ten seconds, and doubled when a server says that it is too often. nil, gRPC's
  /// default, switches it off: servers refuse what they did not agree to.
  public var clientKeepAliveTime: Duration?

  /// Whether a client asks even when it has no streams; needs a server that permits it.
  public var clientKeepAliveWithoutStreams = false

  /// Silence after a question for a sign of life that ends the connection.
  public var keepAliveTimeout: Duration = .seconds(20)

  /// Time that must pass between two PINGs of a client while nothing is sent for its streams; gRPC's default.
  public var minPingInterval: Duration = .seconds(300)

  /// Whether `minPingInterval` also holds while a client has no streams; otherwise it is two hours then.
  public var permitsPingsWithoutStreams = false

  /// PINGs that may come too soon; one more ends the connection with ENHANCE_YOUR_CALM, "too_many_pings".
  public var maxPingStrikes = 2

  /// Time without streams after which a server drains a connection. An hour: a client that comes more seldom can as
  /// well connect again. nil keeps it.
  public var maxConnectionIdle: Duration? = .seconds(3600)

  /// Age at which a server drains a connection, give or take a tenth, so that clients spread anew over the servers
  /// behind one name. nil, the default, keeps it.
  public var maxConnectionAge: Duration?

  /// Time from then on after which the streams that are left are ended. nil waits for them.
  public var maxConnectionAgeGrace: Duration?

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

  /// The head start of an attempt to connect before the next address is tried beside it: RFC 8305 §5's recommendation.
  public var connectionAttemptDelay: Duration = .milliseconds(250)

  /// Time between two questions for the addresses of a target; gRPC's default. Lost connections ask for them, and
  /// servers that fail by the hundred must not burden the name servers too.
  public var minResolutionInterval: Duration = .seconds(30)

  /// Time without requests after which a client closes its connections; the next request connects again. Half an hour,
  /// as in gRPC. nil keeps them.
  public var clientIdleTimeout: Duration? = .seconds(1800)

  /// Requests after which a client replaces a connection: all stream ids that there are (RFC 9113 §5.1.1).
  public var maxRequestsPerConnection = 1 << 30

  public init() {}
}

extension HTTP2Limits {
  /// The least that a peer must take in `period`, at least one octet.
  func minTaken(in period: Duration) -> Int { Self.octets(minSendRate, in: period) }

  /// The least that a message must bring in `period`, at least one octet.
  func minReceived(in period: Duration) -> Int { Self.octets(minReceiveRate, in: period) }

  private static func octets(_ rate: Int, in period: Duration) -> Int {
    let (product, overflow) = max(rate, 0).multipliedReportingOverflow(by: Int(period.inNanoseconds / 1_000_000))
    return overflow ? .max : max(product / 1000, 1)
  }

  /// The window of a connection whose streams have one of `streamWindow`.
  func connectionWindow(besideStreamsOf streamWindow: Int) -> Int {
    let wanted = max(connectionWindow, streamWindow * Self.windowsPerConnection)
    return min(wanted, max(maxConnectionWindow, connectionWindow))
  }

  // MARK: Sizes that are nobody's choice

  /// A head of a request of up to this size is not counted in `heldBytes`: it takes no more than the call itself.
  static let uncountedHead = 4 << 10

  /// How much more a connection holds before it says so in the midst of a tick; most honest answers are shorter.
  static let unsettledBytes = 256 << 10

  /// Octets of DATA sent for each WINDOW_UPDATE that a peer may send freely. A message has five at least, and a peer that
  /// gives window back for each message does so for its stream and for the connection.
  static let octetsPerWindowUpdate = 2

  /// How much of what was sent still counts for that later: a client's usual window, which it may have left unread.
  static let maxWindowUpdateCredit = 4 << 20

  /// Received bytes that are taken in one system call: sixteen full frames.
  package static let readBufferSize = 256 << 10

  /// Seconds of silence after which TCP asks whether the peer is still there.
  static let keepAliveIdleSeconds: Int32 = 60
  /// Seconds between these questions.
  static let keepAliveProbeSeconds: Int32 = 15
  /// Questions without an answer after which the connection is lost.
  static let keepAliveProbes: Int32 = 4

  /// Full windows of streams that the window of a connection has room for, until it is as large as it may be.
  static let windowsPerConnection = 16

  /// What TLS handshakes may take of a tick before the open connections get their turn; one step may exceed it by
  /// half a millisecond. A flood of them makes a call wait this long, not seconds.
  static let handshakeTimePerTick: Duration = .milliseconds(2)

  /// How long tickets are sealed with one key; for the same time after that they can still be opened.
  static let ticketKeyLifetime: Duration = .seconds(3600)

  /// Servers whose last TLS session a client configuration remembers.
  static let clientSessions = 64

  /// The shortest time between two questions of a client for a sign of life (gRPC proposal A8).
  static let shortestKeepAliveTime: Duration = .seconds(10)

  /// Time that must pass between two PINGs of a client that has no streams and no permission.
  static let idlePingInterval: Duration = .seconds(7200)

  /// The delay of a timer that never goes off, in nanoseconds: a century.
  static let farthestTimer: Int64 = 36_500 * 86_400 * 1_000_000_000

  /// Reads of one connection in one tick before others get their turn.
  static let readsPerTick = 4

  /// Parts of bodies from this size on are written from where they lie: below, copying costs less than another entry in
  /// the list that the system call takes.
  static let leastSharedPart = 4096

  /// Entries in the list that one system call takes; Linux allows 1024.
  static let vectorsPerWrite = 256

  /// Frames are gathered up to this many bytes for one write. A reader that is as fast as we are sleeps after each, and waking
  /// it costs the writer more than copying 64 KiB does; with larger ones both wait for each other.
  package static let outputBatchSize = 640 << 10

  /// Streams queue beyond their marks while less than this waits for the next write, so that a last message of up to
  /// 64 KiB still is in it: the rest of one would be a system call, a packet and a wake-up of its own.
  static let queuedForOneWrite = outputBatchSize - (64 << 10)

  /// Writes of one connection in one tick before others get their turn.
  static let writesPerTick = 4

  /// Events taken from epoll at once.
  static let eventsPerPoll = 512

  /// An epoll_wait that took longer, in nanoseconds, has slept; one that finds events takes a few microseconds.
  static let shortestSleep: Int64 = 50_000

  /// Addresses of one client whose calls are counted apart for operators; further ones are not shown.
  static let inspectedAddresses = 256

  /// A loop that looks for events before it sleeps does so after waits of at most so many times what it may look for.
  static let waitsWorthPolling: Int64 = 2

  /// For how long a loop looks for events before it sleeps. To put a thread to sleep and to wake it takes 20 µs of its
  /// processor's time and some 20 µs more until it runs: what looking takes at most is about what it saves.
  static let busyPoll: Duration = .microseconds(50)

  /// How long a client waits for a name server before it asks the next one, or again; in seconds, as the system's resolver
  /// has it. One that does not answer at all holds connections up for four seconds.
  static let nameServerSeconds: Int32 = 2
  /// How often each name server is asked.
  static let nameServerTries: Int32 = 2

  /// How often work that queues further work is continued before sockets get their turn.
  static let workRoundsPerTick = 16

  /// Connections accepted in one tick.
  static let acceptsPerTick = 256

  /// The queue of connections not yet accepted; the kernel caps it at net.core.somaxconn. 10,000 clients may come at
  /// once after a restart.
  static let backlog = 16_384

  /// So many connections and streams must end, and more than connections are left, before freed memory is given back to
  /// the system. At some 5 KB each that is 5 MB.
  static let closedConnectionsPerTrim = 1000
  /// The wait before that, in which what hangs on connections that are closed is freed.
  static let trimDelay: Duration = .seconds(1)

  /// The pause of a listener when no descriptor is left.
  static let acceptPause: Duration = .milliseconds(100)

  /// Parameters in one SETTINGS frame; six are defined. Each may change the windows of all streams.
  static let parametersPerSettings = 32

  /// What a session keeps of the buffer for control frames when it is empty.
  static let keptControlBuffer = 512

  /// The longest DATA frame sent to a peer that takes such: long enough that its header does not count, and short
  /// enough that other streams get their turn.
  static let longestOutboundFrame = 64 << 10

  /// The longest header block that is remembered, to be known again.
  static let rememberedBlockSize = 256

  /// Room made for the fields of a request with its first one, so that their list grows once: a usual gRPC request has
  /// eight fields, of six octets more than their 224.
  static let reservedHeadOctets = 224 + 8 * 6

  /// Blocks of answers that a connection remembers: a head and trailers, each in two forms.
  static let rememberedBlocks = 4

  /// Octets of a `content-type` that is looked at in a header list beyond the limit: those that anybody answers in a way
  /// of their own are shorter.
  static let contentTypeSize = 64

  /// Digits of an HTTP/1 Content-Length: more octets than anybody sends, and no overflow.
  static let contentLengthDigits = 18
  /// Hexadecimal digits of the size of an HTTP/1 chunk: 60 bits, for the same reason.
  static let chunkSizeDigits = 15

  /// Octets of a certificate's subject that a handler is shown.
  static let subjectSize = 4096

  /// The least time, in nanoseconds, after which a bucket of `resetBurst` or `idleFrameBurst` is filled: what less brings
  /// would be rounded away for the slower one.
  static let floodRefillInterval: Int64 = 100_000_000
  /// The longest time, in nanoseconds, that such a bucket is filled for: a minute fills any, and keeps the product small.
  static let longestFloodRefill: Int64 = 60_000_000_000

  /// Places of streams that are gone, or of bodies that are sent, before a queue that never runs empty is cleared of
  /// them: once a queue of twice as many, so that it costs next to nothing for each.
  static let deadPlaces = 64

  /// Places that a connection's table and list of streams keep when they are empty: an idle connection should not keep the
  /// room of its busiest time.
  static let keptPlaces = 64
  /// The same for queues whose room is asked for in every tick: streams that send, and new timers of a loop.
  static let keptQueuePlaces = 1024

  /// Windows that pass before it is asked again whether a window is large enough, at most.
  static let windowPause = 16

  /// Free blocks that a loop keeps for each size class of 16 octets: at most 64 classes × 512 × 0.5 KB = 16 MB, in
  /// practice one tenth, as few classes are in use.
  static let freeBlocksPerClass = 512

  /// States of a channel that wait for somebody who watches them; of more, the older ones are left out.
  static let unreadChannelStates = 64

  /// Concurrent streams that a client assumes before the server has said its limit (RFC 9113 §6.5.2 recommends no
  /// fewer than 100).
  static let assumedConcurrentStreams = 100
}
