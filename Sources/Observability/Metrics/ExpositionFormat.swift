/// The two text forms in which Prometheus reads metrics.
public enum ExpositionFormat: Sendable, Equatable {
  /// Prometheus' own, version 0.0.4.
  case text
  /// OpenMetrics 1.0.0.
  case openMetrics

  /// What a scraper with this `Accept` header prefers; the text form if it has no wish, or no wish that can be met.
  public init(accept: String?) {
    var weights: [ExpositionFormat: Double] = [:]
    for range in (accept ?? "").split(separator: ",") {
      let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      guard let format = Self.format(parts) else { continue }
      let weight = parts.lazy.compactMap { $0.hasPrefix("q=") ? Double($0.dropFirst(2)) : nil }.first ?? 1
      weights[format] = max(weights[format] ?? 0, weight)
    }
    let openMetrics = weights[.openMetrics] ?? 0
    self = openMetrics > 0 && openMetrics >= weights[.text] ?? 0 ? .openMetrics : .text
  }

  private static func format(_ parts: [String]) -> ExpositionFormat? {
    switch parts.first {
    case "application/openmetrics-text":
      // 0.0.1 is a draft, which scrapers name beside 1.0.0.
      parts.contains { $0.hasPrefix("version=") && $0 != "version=1.0.0" } ? nil : .openMetrics
    case "text/plain": .text
    default: nil
    }
  }

  /// The media type of the text.
  public var contentType: String {
    switch self {
    case .text: "text/plain; version=0.0.4; charset=utf-8"
    case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
    }
  }

  /// The families as a scraper reads them. Families without samples are left out.
  public func render(_ families: [MetricFamily]) -> [UInt8] {
    var text: [UInt8] = []
    for family in families where !family.samples.isEmpty {
      // OpenMetrics names a counter without the suffix that its sample has.
      let isSuffixed = self == .openMetrics && family.kind == .counter
      let name = isSuffixed ? String(family.name.dropLast("_total".count)) : family.name
      text.append("# HELP \(name) \(escaped(family.help, quotes: self == .openMetrics))\n")
      text.append("# TYPE \(name) \(family.kind.rawValue)\n")
      for sample in family.samples { render(sample, family.name, into: &text) }
    }
    if self == .openMetrics { text.append("# EOF\n") }
    return text
  }

  private func render(_ sample: MetricSample, _ name: String, into text: inout [UInt8]) {
    text.append(name)
    text.append(sample.suffix)
    for (index, label) in sample.labels.enumerated() {
      text.append(index == 0 ? "{" : ",")
      text.append(label.name)
      text.append("=\"")
      text.append(escaped(label.value, quotes: true))
      text.append("\"")
    }
    if !sample.labels.isEmpty { text.append("}") }
    text.append(" ")
    switch sample.value {
    case .integer(let value): text.append(String(value))
    case .real(let value): text.append(Self.number(value))
    }
    text.append("\n")
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    return value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : value.description
  }

  private func escaped(_ text: String, quotes: Bool) -> String {
    guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || (quotes && $0 == 0x22) }) else { return text }
    var escaped = ""
    for character in text.unicodeScalars {
      switch character {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(character)
      }
    }
    return escaped
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ text: String) { append(contentsOf: text.utf8) }
}
