import Base

/// What every command takes: where the server is, who asks, and how answers are shown.
struct GlobalOptions {
  var address: String?
  var isPlaintext = false
  var caFile: String?
  var isInsecure = false
  var authority: String?
  var profile: String
  var headers: [(name: String, value: String)] = []
  var deadline: Duration?
  var serviceConfig: String?
  var isCompact = false
  private var isJSON = false
  var showsZeroValues = false
  var isVerbose = false
  var wantsHelp = false

  static let options: [Option] = [
    Option(
      "address", value: "TARGET",
      "The server: HOST:PORT, or in gRPC's forms dns:///HOST:PORT, ipv4:ADDR:PORT,..., ipv6:..., unix:PATH, "
        + "unix-abstract:NAME. Default: OCTET_ADDRESS, the profile's, or 127.0.0.1:8443."),
    Option("plaintext", "Speak cleartext HTTP/2 instead of TLS."),
    Option(
      "cacert", value: "FILE",
      "Trust the certificates in this PEM file. Default: ./var/tls/ca.pem if it exists, else the system's."),
    Option("insecure", "Speak TLS but do not check the server's certificate."),
    Option("authority", value: "NAME", "The host name to ask for and to check, if it is not that of the address."),
    Option("profile", value: "NAME", "The stored login to use. Default: OCTET_PROFILE, or \"default\"."),
    Option("header", short: "H", value: "'NAME: VALUE'", repeats: true, "Send this metadata; -bin values in base 64."),
    Option("deadline", value: "TIME", "Give the call at most this long, such as 500ms, 5s, 2m."),
    Option(
      "service-config", value: "JSON|@FILE",
      "Retry, hedge, wait and balance as this gRPC service config says."),
    Option("compact", "Print each message on one line."),
    Option("json", "Print JSON also where there is something nicer for people. --compact does that, too."),
    Option("zero-values", "Print fields that have their zero value as well."),
    Option("verbose", short: "v", "Print metadata and the status to standard error."),
    Option("help", short: "h", "Print help."),
  ]

  /// Whether messages are shown as they are.
  var wantsJSON: Bool { isCompact || isJSON }

  /// Reads the options wherever they stand and leaves the rest, in order.
  static func take(from arguments: [String], environment: Environment) throws(UsageError) -> (GlobalOptions, [String]) {
    let parsed = try ParsedArguments(arguments, options: options, passingOthers: true)
    var result = GlobalOptions(profile: parsed["profile"] ?? environment["OCTET_PROFILE"] ?? "default")
    result.address = parsed["address"] ?? environment["OCTET_ADDRESS"]
    result.isPlaintext = parsed.isOn("plaintext")
    result.caFile = parsed["cacert"]
    result.isInsecure = parsed.isOn("insecure")
    result.authority = parsed["authority"]
    result.serviceConfig = parsed["service-config"]
    result.isCompact = parsed.isOn("compact")
    result.isJSON = parsed.isOn("json")
    result.showsZeroValues = parsed.isOn("zero-values")
    result.isVerbose = parsed.isOn("verbose")
    result.wantsHelp = parsed.isOn("help")
    for header in parsed.all("header") {
      let parts = header.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { throw UsageError("a header looks like 'name: value', not '\(header)'") }
      result.headers.append((String(parts[0]), String(parts[1].drop { $0 == " " })))
    }
    if let text = parsed["deadline"] {
      guard let deadline = duration(text) else { throw UsageError("\(text) is no time such as 500ms, 5s or 2m") }
      result.deadline = deadline
    }
    return (result, parsed.words)
  }

  /// Reads `500ms`, `1.5s`, `2m`, `1h`; nil for anything else and for nothing or less.
  static func duration(_ text: String) -> Duration? {
    let units: [(suffix: String, seconds: Double)] = [("ms", 0.001), ("us", 1e-6), ("s", 1), ("m", 60), ("h", 3600)]
    for (suffix, seconds) in units where text.hasSuffix(suffix) {
      guard let number = Double(text.dropLast(suffix.count)) else { continue }
      let total = number * seconds
      let longest = 1e9  // Seconds: some thirty years, which Duration and gRPC's header both carry.
      return total > 0 && total < longest ? .nanoseconds(Int64(total * 1e9)) : nil
    }
    return nil
  }
}
