internal import Base
internal import RPC

/// Counts the calls of channels, by method. One may serve many channels.
///
/// Calls begin on any thread and their methods have no numbers, so a call costs a lock and a look into a dictionary.
public final class ClientMetrics: MetricSource {
  private struct Row {
    let labels: [MetricLabel]
    let counters: CallCounters
  }

  private let rows = Locked([String: Row]())
  private let other = CallCounters(isShared: true)

  public init() {}

  /// The counters of a method; all methods beyond the limit have the same.
  func counters(_ method: MethodDescriptor) -> CallCounters {
    rows.withLock { rows in
      if let row = rows[method.path] { return row.counters }
      guard rows.count < ObservabilityLimits.clientMethods else { return other }
      let row = Row(labels: CallLabels.of(method), counters: CallCounters(isShared: true))
      rows[method.path] = row
      return row.counters
    }
  }

  /// What was counted, under the names of the server's metrics with `grpc_client` in front.
  public func metrics() -> [MetricFamily] {
    let rows = rows.withLock { $0 }
    var table = rows.sorted { $0.key < $1.key }.map { ($0.value.labels, Self.totals($0.value.counters)) }
    if other.value(CallCounters.Slot.started) > 0 { table.append((CallLabels.other, Self.totals(other))) }
    return CallFamilies.client.families(table)
  }

  private static func totals(_ counters: CallCounters) -> CallTotals {
    var totals = CallTotals()
    totals.add(counters)
    return totals
  }
}
