import HTTP2

/// What the configuration says about watching the server.
struct ObservationSettings: Sendable {
  /// Where metrics and probes are answered; nowhere if it is empty.
  var adminListen: [String]
  /// Whether every call has a line in the log.
  var logsAccess: Bool
  /// From how long on a call has a line that says where the time went; nil if none has.
  var slowCall: Duration?
  /// Where spans go; nil for nowhere.
  var otlpEndpoint: OTLPEndpoint?
  /// The share of traces that begin here and are kept.
  var traceSampleRatio: Double

  init(_ values: SettingValues) throws(UsageError) {
    // A port alone is one of this machine only.
    adminListen = values.list(.adminListen).map { $0.allSatisfy(\.isNumber) ? "127.0.0.1:\($0)" : $0 }
    logsAccess = try values.isOn(.accessLog)
    slowCall = try values.duration(.slowCall)
    if let text = values[.otlpEndpoint] {
      guard let endpoint = OTLPEndpoint(text) else {
        throw UsageError("otlp-endpoint: \(text) is not http://HOST:PORT or https://HOST:PORT")
      }
      otlpEndpoint = endpoint
    }
    let ratio = values[.traceSampleRatio] ?? "1"
    guard let share = Double(ratio), (0...1).contains(share) else {
      throw UsageError("trace-sample-ratio: \(ratio) is not a number from 0 to 1")
    }
    traceSampleRatio = share
  }
}

/// A collector of spans that speaks OTLP over gRPC.
struct OTLPEndpoint: Sendable {
  let target: ClientTarget
  let isEncrypted: Bool

  /// - Returns: nil if the text is not `http://HOST:PORT` or `https://HOST:PORT`, perhaps with a slash behind it.
  init?(_ text: String) {
    let schemes = ["http://", "https://"]
    guard let scheme = schemes.first(where: { text.hasPrefix($0) }) else { return nil }
    var rest = text.dropFirst(scheme.count)
    if rest.hasSuffix("/") { rest.removeLast() }
    guard let target = ClientTarget(String(rest)) else { return nil }
    self.target = target
    isEncrypted = scheme == "https://"
  }
}
