internal import Base
public import RPC

/// Counts the calls of a server, by method.
///
/// Each event loop has counters of its own for each method, found by two indices; they are summed when somebody asks.
/// So a call costs a dozen additions and no lock, and the number of series is fixed by the registered methods: whatever
/// names strangers call count as one, `other`.
public final class ServerMetrics: MetricSource {
  private let methods: [MethodDescriptor]
  /// A row for each executor number from `lowest` on, and one for executors that are none of these; in a row, the
  /// methods by number and `other`.
  private let counters: [CallCounters]
  private let lowest: Int
  let knownExecutors: Int

  /// - Parameters:
  ///   - methods: `ServiceRegistry.methods` of the server.
  ///   - executors: on which its calls run. Calls on others are counted too, at a higher price.
  public init(methods: [MethodDescriptor], executors: [any CallExecutor]) {
    self.methods = methods
    let numbers = executors.map(\.number)
    lowest = numbers.min() ?? 0
    let span = min((numbers.max() ?? -1) - lowest + 1, ObservabilityLimits.executors)
    knownExecutors = span
    counters = (0...span).flatMap { row in
      (0...methods.count).map { _ in CallCounters(isShared: row == span) }
    }
  }

  @inline(__always)
  private func counters(_ methodNumber: Int, _ executorNumber: Int) -> CallCounters {
    let row = executorNumber - lowest
    let isKnown = row >= 0 && row < knownExecutors
    return counters[(isKnown ? row : knownExecutors) * (methods.count + 1) + methodNumber]
  }

  /// A call begins on the executor, whose thread this must be.
  func began(_ methodNumber: Int, on executorNumber: Int) {
    counters(methodNumber, executorNumber).began()
  }

  /// A call that began has ended.
  func ended(_ methodNumber: Int, on executorNumber: Int, _ status: StatusCode, _ record: CallRecord) {
    // Not more than 292 years.
    let nanoseconds = record.ended.nanoseconds &- record.began.nanoseconds
    counters(methodNumber, executorNumber).ended(status, nanoseconds: max(nanoseconds, 0), record.counts)
  }

  /// A request was refused before it became a call; nil for an unknown method. From any thread.
  func refused(_ methodNumber: Int?, _ status: StatusCode) {
    let counters = counters[knownExecutors * (methods.count + 1) + (methodNumber ?? methods.count)]
    counters.began()
    counters.ended(status, nanoseconds: 0, CallCounts())
  }

  /// What was counted, in the names that gRPC's Prometheus middleware has made usual.
  public func metrics() -> [MetricFamily] {
    var rows = methods.enumerated().map { (CallLabels.of($1), totals($0)) }
    rows.append((CallLabels.other, totals(methods.count)))
    return CallFamilies.server.families(rows)
  }

  private func totals(_ method: Int) -> CallTotals {
    var totals = CallTotals()
    for row in 0...knownExecutors { totals.add(counters[row * (methods.count + 1) + method]) }
    return totals
  }
}
