import Base
import Observability

/// How often work failed that nobody calls for. The log has the words; what has failed is done later.
final class BackgroundFailures: MetricSource {
  enum Work: String, CaseIterable {
    case timers
    case sweeps
    case blobCollection = "blob_collection"
    /// What other nodes have changed of sessions, roles, flags and words, have hidden and have counted.
    case catchUp = "catch_up"
    /// What other nodes have published.
    case topics
  }

  private let counts = Locked<[Work: Int]>([:])

  func count(_ work: Work) {
    counts.withLock { $0[work, default: 0] += 1 }
  }

  func metrics() -> [MetricFamily] {
    let counts = counts.withLock { $0 }
    return [
      MetricFamily(
        "octet_background_failures_total", .counter, "Failures of work that nobody calls for, which is done later.",
        Work.allCases.map { MetricSample([MetricLabel("work", $0.rawValue)], counts[$0, default: 0]) })
    ]
  }
}
