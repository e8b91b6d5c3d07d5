/// Who may decompress a message on one executor, and when. Confined to that executor, hence unchecked.
///
/// A few KB that come in can grow to a whole message limit, which takes milliseconds; hundreds of them at once would
/// hold everybody's calls. So each tick of an event loop has a share of bytes for this, and messages beyond it wait for
/// later ticks: one of each connection in turn, so that nobody's honest messages wait behind all of another's bombs.
public final class InflateTurns: @unchecked Sendable {
  private var spent = 0
  /// The work that waits, by connection; no list is empty.
  private var waiting: [String: [() -> Void]] = [:]
  /// The connections with waiting work, in the order of their turns.
  private var order: [String] = []

  public init() {}

  /// A new tick has begun, with a full share.
  public func tickBegan() { spent = 0 }

  /// Whether a message may be decompressed at once. Nobody overtakes those who wait.
  var mayGoOn: Bool { order.isEmpty && spent < RPCLimits.inflatedBytesPerTick }

  /// Notes the length of a decompressed message.
  func spend(_ count: Int) { spent += count }

  /// Has `work` decompress one message, and `spend` what it took, on a later tick. Those of one `connection` run in the
  /// order of the calls.
  func wait(_ connection: String, on executor: any CallExecutor, _ work: @escaping () -> Void) {
    if waiting[connection]?.append(work) == nil {
      waiting[connection] = [work]
      order.append(connection)
      if order.count == 1 { goOnLater(executor) }
    }
  }

  private func goOnLater(_ executor: any CallExecutor) {
    _ = executor.schedule(after: .zero) { self.goOn(executor) }
  }

  private func goOn(_ executor: any CallExecutor) {
    spent = 0
    while spent < RPCLimits.inflatedBytesPerTick, !order.isEmpty {
      let connection = order.removeFirst()
      guard let work = waiting[connection]?.removeFirst() else { preconditionFailure("a turn without work") }
      if waiting[connection]?.isEmpty == true {
        waiting[connection] = nil
      } else {
        order.append(connection)
      }
      work()
    }
    if !order.isEmpty { goOnLater(executor) }
  }
}
