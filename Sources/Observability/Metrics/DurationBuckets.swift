/// The buckets of latency histograms: 100 µs to 10 s, finer than Prometheus' defaults at the low end, where calls
/// within one machine are.
enum DurationBuckets {
  /// Upper bounds in nanoseconds, each included; what is longer falls into one more bucket.
  static let bounds: [Int64] = [
    100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
    250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
  ]
  /// Of buckets, the last one included.
  static let count = 17

  /// The bucket of a duration in nanoseconds.
  static func index(_ nanoseconds: Int64) -> Int {
    // Nearly all calls are in the first.
    if nanoseconds <= 100_000 { return 0 }
    return bounds.firstIndex { nanoseconds <= $0 } ?? bounds.count
  }
}
