/// Something that can be asked what it has counted.
public protocol MetricSource: Sendable {
  /// What was counted up to now. From any thread.
  func metrics() -> [MetricFamily]
}

/// A metric with all its series.
public struct MetricFamily: Sendable {
  public enum Kind: String, Sendable {
    case counter
    case gauge
    case histogram
  }

  /// Of a counter it ends in `_total`.
  public var name: String
  public var kind: Kind
  /// One sentence.
  public var help: String
  public var samples: [MetricSample]

  public init(_ name: String, _ kind: Kind, _ help: String, _ samples: [MetricSample]) {
    precondition(kind != .counter || name.hasSuffix("_total"), "the name of a counter ends in _total")
    self.name = name
    self.kind = kind
    self.help = help
    self.samples = samples
  }

  /// A metric of one series without labels.
  public init(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
    self.init(name, kind, help, [MetricSample([], value)])
  }

  /// A metric of one series without labels.
  public init(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
    self.init(name, kind, help, [MetricSample([], value)])
  }
}

/// One name and value that tell the series of a metric apart.
public struct MetricLabel: Sendable, Equatable {
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// One number of one series.
public struct MetricSample: Sendable {
  public enum Value: Sendable, Equatable {
    case integer(Int)
    case real(Double)
  }

  /// What follows the family's name: `_bucket`, `_sum`, `_count`; usually nothing.
  public var suffix: String
  public var labels: [MetricLabel]
  public var value: Value

  public init(_ labels: [MetricLabel], _ value: Int, suffix: String = "") {
    self.suffix = suffix
    self.labels = labels
    self.value = .integer(value)
  }

  public init(_ labels: [MetricLabel], _ value: Double, suffix: String = "") {
    self.suffix = suffix
    self.labels = labels
    self.value = .real(value)
  }

  /// The samples of one histogram.
  /// - Parameters:
  ///   - bounds: the upper bounds of the buckets, rising, without the infinite one.
  ///   - counts: of each bucket, not cumulated; one more than bounds.
  static func histogram(_ labels: [MetricLabel], bounds: [Double], counts: [Int], sum: Double) -> [MetricSample] {
    var samples: [MetricSample] = []
    var total = 0
    for (index, count) in counts.enumerated() {
      total += count
      let bound = index < bounds.count ? bounds[index].description : "+Inf"
      samples.append(MetricSample(labels + [MetricLabel("le", bound)], total, suffix: "_bucket"))
    }
    samples.append(MetricSample(labels, sum, suffix: "_sum"))
    samples.append(MetricSample(labels, total, suffix: "_count"))
    return samples
  }
}
