import Base
import Cryptography
import HTTP2
import RPC
import WebProtocols

/// What a server is started with, checked.
struct Configuration: Sendable {
  var listen: [String]
  var tlsListen: [String]
  var transport: TransportSettings
  var data: String
  /// Where the data is; nil for SQLite in the data directory. May hold a password.
  var database: String?
  /// What wakes other nodes; may hold a password.
  var bus: String?
  var busAuthority: String?
  var blobs: BlobSettings
  var outbound: OutboundSettings
  /// Names of the domains to serve; nil for all.
  var services: Set<String>?
  /// Whether gRPC-Web and Connect are served.
  var web: Bool
  /// Which scripts of other origins may call; nil for none.
  var cors: CORSPolicy?
  /// Event loops; nil for one a core.
  var loops: Int?
  /// For how long a loop looks for events before it sleeps.
  var busyPoll: Duration
  var drainTimeout: Duration
  /// For unary calls of which neither the method's proto nor the client names a deadline; watches have none.
  var defaultDeadline: Duration
  /// How long requests may wait before calls are refused; nil refuses none.
  var queueDelay: Duration?
  var rateLimits: RateLimits
  var limits: LimitSettings
  /// Of the hashes of new passwords.
  var passwordCost: PasswordCost
  /// Whether admins can see connections.
  var servesChannelz: Bool
  var logLevel: LogLevel
  var seedDemo: Bool
  var observation: ObservationSettings

  /// - Parameter domains: the names that `--services` may hold.
  init(_ values: SettingValues, domains: [String]) throws(UsageError) {
    listen = values.list(.listen)
    tlsListen = values.list(.tlsListen)
    transport = try TransportSettings(values)
    if !tlsListen.isEmpty && transport.certificates.isEmpty {
      throw UsageError("--tls-listen needs --tls-certificate and --tls-key")
    }
    data = values[.data] ?? "var"
    database = values[.database]
    if let database, !["postgres://", "postgresql://"].contains(where: database.hasPrefix) {
      throw UsageError("database: not a URL that begins with postgres://")
    }
    bus = values[.bus]
    if bus != nil, database == nil {
      throw UsageError("bus: there is nobody to tell without --database; a SQLite database has one node")
    }
    busAuthority = values[.busAuthority]
    blobs = try BlobSettings(values, data: data)
    outbound = try OutboundSettings(values, data: data)
    let services = values.list(.services)
    if let unknown = services.first(where: { !domains.contains($0) }) {
      throw UsageError("services: there is no domain \(unknown); there are \(domains.joined(separator: ", "))")
    }
    self.services = services.isEmpty ? nil : Set(services)
    web = try values.isOn(.web)
    cors = try Self.cors(values)
    loops = try values.integer(.loops, in: 1...1024)
    busyPoll = try values.duration(.busyPoll) ?? EventLoop.defaultBusyPoll
    guard busyPoll <= .milliseconds(1) else { throw UsageError("busy-poll: a loop looks for at most 1ms") }
    drainTimeout = .seconds(try values.integer(.drainTimeout, in: 0...86_400) ?? 10)
    // Every call of ours is done in far less than the default, and a client that waits longer has given up.
    defaultDeadline = .seconds(try values.integer(.defaultDeadline, in: 1...86_400) ?? 30)
    queueDelay = try values.duration(.queueDelay).flatMap { $0 > .zero ? $0 : nil }
    rateLimits = try Self.rateLimits(values.list(.rateLimits))
    limits = try LimitSettings(values.list(.limits))
    passwordCost = try Self.passwordCost(values)
    servesChannelz = try values.isOn(.channelz)
    guard let level = LogLevel(rawValue: values[.logLevel] ?? "info") else {
      throw UsageError("log-level: \(values[.logLevel] ?? "") is not debug, info, warning or error")
    }
    logLevel = level
    seedDemo = try values.isOn(.seedDemo)
    observation = try ObservationSettings(values)
  }

  private static func cors(_ values: SettingValues) throws(UsageError) -> CORSPolicy? {
    let origins = values.list(.corsOrigin)
    let headers = values.list(.corsHeader)
    guard !origins.isEmpty else {
      if !headers.isEmpty { throw UsageError("--cors-header needs --cors-origin") }
      return nil
    }
    if origins != ["*"], let wrong = origins.first(where: { !CORSPolicy.isOrigin($0) }) {
      throw UsageError("cors-origin: \(wrong) is not * and no origin such as https://console.example.com")
    }
    let maxAge = try values.integer(.corsMaxAge, in: 0...86_400) ?? 0
    return CORSPolicy(
      origins: origins == ["*"] ? .any : .only(Set(origins)),
      headers: headers == ["*"] ? .any : .only(Set(headers.map { $0.lowercased() })), maxAge: .seconds(maxAge))
  }

  /// The defaults, changed by parts such as `standard=100/400`.
  private static func rateLimits(_ parts: [String]) throws(UsageError) -> RateLimits {
    var limits = RateLimits()
    let classes: [String: WritableKeyPath<RateLimits, Rate>] = [
      "standard": \.standard, "expensive": \.expensive, "telemetry": \.telemetry,
    ]
    for part in parts {
      let words = part.split(separator: "=", omittingEmptySubsequences: false)
      let numbers = (words.last ?? "").split(separator: "/", omittingEmptySubsequences: false).map { Int64($0) ?? 0 }
      guard words.count == 2, let path = classes[String(words[0])], numbers.count == 2,
        numbers.allSatisfy({ (1...1_000_000).contains($0) })
      else {
        throw UsageError("rate-limits: \(part) is not CLASS=N/BURST, such as standard=100/400")
      }
      limits[keyPath: path] = Rate(perSecond: numbers[0], burst: numbers[1])
    }
    return limits
  }

  private static func passwordCost(_ values: SettingValues) throws(UsageError) -> PasswordCost {
    guard let text = values[.passwordCost] else { return .standard }
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard numbers.count == 2, (1...4096).contains(numbers[0]), (1...100).contains(numbers[1]) else {
      throw UsageError("password-cost: \(text) is not MIB/PASSES, up to 4096/100, such as 64/3")
    }
    let cost = PasswordCost(memoryMiB: numbers[0], passes: numbers[1])
    guard cost.isEnough else {
      throw UsageError(
        "password-cost: \(text) is less than 46/1, 19/2, 12/3, 9/4 or 7/5: passwords could be guessed from hashes")
    }
    return cost
  }

  /// How often an address may register or log in without a challenge: a fifth of what it may do at all.
  var challengeRate: Rate {
    Rate(perSecond: max(1, rateLimits.expensive.perSecond / 5), burst: max(1, rateLimits.expensive.burst / 5))
  }

  /// Whether the services of a domain are to be served: those that are named, by default all but the benchmark's.
  func serves(_ domain: String) -> Bool {
    services?.contains(domain) ?? (domain != Front.bench)
  }

  /// The text of `octetd --help`.
  static var help: String {
    var text = """
      octetd serves Octet's domains as gRPC services.

      Usage: octetd [FLAGS]                              serve until SIGTERM
             octetd grant-role HANDLE ROLE [FLAGS]       give a user a role: how the first admin comes to be
             octetd backup --to FILE [--force] [FLAGS]   copy the database of --data, also while it is served
             octetd restore --from FILE [--force] [FLAGS] put a copy in the place of the database of --data
             octetd restored [FLAGS]                     say that other tools have put the database back: resume tokens
                                                         are then refused, as restore has it by itself
             octetd scrub [FLAGS]                        write the database of --data anew, without what was deleted

      --force replaces what is there.

      Each flag can also be an environment variable (OCTET_TLS_LISTEN for --tls-listen) or a line of the
      configuration file (tls-listen = …). A flag beats a variable, which beats the file.


      """
    for setting in Setting.all {
      let flag = "--\(setting.name)" + (setting.placeholder.map { " \($0)" } ?? "")
      text += "  " + flag + String(repeating: " ", count: max(1, 28 - flag.count)) + setting.help
      if let fallback = setting.fallback { text += " Default: \(fallback)." }
      text += "\n"
    }
    text += "\nExit codes:\n"
    for code in ExitCode.allCases {
      text += "  \(code.rawValue)\(code.rawValue < 10 ? " " : "")  \(code.meaning)\n"
    }
    return text
  }
}
