/// Metrics that something else keeps: a closure that is asked at each scrape.
public struct ReadMetrics: MetricSource {
  private let read: @Sendable () -> [MetricFamily]

  /// - Parameter read: from any thread; must be quick.
  public init(_ read: @escaping @Sendable () -> [MetricFamily]) {
    self.read = read
  }

  public func metrics() -> [MetricFamily] { read() }
}
