internal import Base
public import RPC

/// Logs calls, one JSON object a line: all of them, those that took too long, or both.
///
/// Lines are made and written on a thread of their own; when that falls behind, lines are dropped and counted.
public final class CallLog: MetricSource {
  /// Whether every call has a line.
  let logsAll: Bool
  /// From how long on a call has a line that says where the time went; nil if none has.
  let slowThreshold: Duration?
  private let user: @Sendable (ServerContext) -> String?
  private let lag: LoopLag?
  private let writer: LineWriter<CallLogEntry>

  /// - Parameters:
  ///   - all: whether every call has a line (event `call`).
  ///   - slow: from how long on a call has a line that says where the time went (event `slow_call`); nil for none.
  ///   - descriptor: where the lines go, by default standard error, as other logs do.
  ///   - lag: how late the event loops are, for lines of slow calls.
  ///   - user: who makes a call, if that is known.
  public init(
    all: Bool, slow: Duration?, descriptor: Int32 = 2, waitingLines: Int = ObservabilityLimits.waitingLines,
    lag: LoopLag? = nil, user: @escaping @Sendable (ServerContext) -> String? = { _ in nil }
  ) {
    logsAll = all
    slowThreshold = slow
    self.lag = lag
    self.user = user
    writer = LineWriter(
      name: "octet-call-log", descriptor: descriptor, limit: waitingLines,
      bytesPerWrite: ObservabilityLimits.bytesPerWrite
    ) { $0.line }
  }

  /// Writes what waits. Blocks. Calls that end later are dropped.
  public func close() { writer.close() }

  public func metrics() -> [MetricFamily] {
    [
      MetricFamily(
        "octet_log_lines_dropped_total", .counter, "Lines about calls that the log could not take.", writer.dropped)
    ]
  }

  func ended(
    _ call: ServerContext, _ status: StatusCode, _ record: CallRecord, _ trace: TraceContext?, _ waits: CallWaits?
  ) {
    let slow = slowCall(call, record, waits)
    guard logsAll || slow != nil else { return }
    var entry = CallLogEntry(
      kind: .access, method: call.method.path, status: status, record: record, peer: Self.cut(call.peer.address),
      user: user(call), trace: trace, requestID: call.metadata["x-request-id"].map(Self.cut))
    if logsAll { writer.write(entry) }
    if let slow {
      entry.kind = .slow(slow)
      writer.write(entry)
    }
  }

  func refused(_ head: RequestHead, _ status: StatusCode, _ peer: PeerInfo, at now: Instant) {
    guard logsAll else { return }
    writer.write(
      CallLogEntry(
        kind: .access, method: Self.cut(head.path), status: status, record: CallRecord(began: now, ended: now),
        peer: Self.cut(peer.address)))
  }

  private func slowCall(_ call: ServerContext, _ record: CallRecord, _ waits: CallWaits?) -> SlowCall? {
    guard let slowThreshold else { return nil }
    let slow = SlowCall(
      record, storageNanoseconds: waits?.storageNanoseconds ?? 0,
      loopLag: lag?.lag(of: call.executorNumber) ?? .zero)
    return slow.judged(call.method.kind, total: record.duration) >= slowThreshold.inMicroseconds ? slow : nil
  }

  private static func cut(_ text: String) -> String {
    guard text.utf8.count > ObservabilityLimits.loggedCharacters else { return text }
    // Not what Swift counts as characters: an `e` with ten thousand accents is one.
    let scalars = text.unicodeScalars
    let kept = scalars.prefix(ObservabilityLimits.loggedCharacters)
    return kept.endIndex == scalars.endIndex ? text : String(kept) + "…"
  }
}
