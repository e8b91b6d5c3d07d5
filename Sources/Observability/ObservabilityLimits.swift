/// Every limit of this module that something from outside can drive, with its reason.
public enum ObservabilityLimits {
  // MARK: Metrics

  /// The executors that get counters of their own; further ones share a set, whose counting costs more. No machine of
  /// this kind runs more event loops.
  static let executors = 256
  /// The methods that a client counts by name; further ones are counted together. A client is made for some services,
  /// but a tool may call anything.
  static let clientMethods = 1000

  /// How often it is measured how late a loop is: often enough to see a stall of a tenth of a second, seldom enough to
  /// cost nothing.
  public static let lagInterval: Duration = .milliseconds(100)

  // MARK: Trace context

  /// List members of a tracestate (W3C Trace Context §3.3.1.1).
  static let traceStateMembers = 32
  /// Characters of a tracestate that are passed on; vendors must be able to rely on 512 (§3.3.1.5), and everything
  /// beyond would be carried along the whole trace.
  static let traceStateCharacters = 512

  /// Characters of a list member from which on it goes before others, if a tracestate has to be shortened (§3.3.1.5).
  static let traceStateMember = 128

  // MARK: Export of spans

  /// Spans that wait for the collector. Half a KB each makes 4 MiB; at 1000 spans a second a collector may be away for
  /// 8 s without loss.
  public static let waitingSpans = 8192
  /// Spans in one export: some 200 KB, far below the 4 MiB that gRPC servers accept.
  public static let spansPerExport = 512
  /// Attempts for one batch, before it is dropped for the sake of those behind it.
  static let exportAttempts = 5
  /// How long a span may wait for its batch to fill, and be lost if the process dies meanwhile. One export in two
  /// seconds costs neither side anything.
  public static let exportInterval: Duration = .seconds(2)
  /// How long one attempt to bring a batch may take: as long as OpenTelemetry's own exporters wait.
  public static let exportTimeout: Duration = .seconds(10)
  /// The wait after the first failed attempt; it doubles with each, give or take a fifth. All attempts give a collector
  /// a quarter of a minute to come back.
  public static let exportBackoff: Duration = .seconds(1)

  // MARK: Logs

  /// Lines of calls that wait for their writer, some 300 bytes each: 1 s at 16,000 calls/s while the disk or the pipe
  /// stalls.
  public static let waitingLines = 16_384
  /// Bytes of one write: what POSIX promises to be written to a pipe in one piece, so that lines of this log and of
  /// others do not mix (PIPE_BUF of Linux).
  static let bytesPerWrite = 4096
  /// Unicode scalars of a text that comes from a peer and goes into a line: paths, ids. With six bytes for an escaped
  /// one, a line with all of them stays within `bytesPerWrite`.
  static let loggedCharacters = 128

  // MARK: Admin

  /// How long a readiness check may take before it counts as failed; probes usually wait a few seconds.
  public static let readinessTimeout: Duration = .seconds(2)
}
