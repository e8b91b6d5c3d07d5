internal import ProtobufRuntime

/// Why a text is no service config.
public struct ServiceConfigError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String
}

extension ServiceConfig {
  /// Reads gRPC's JSON form. What it does not know is passed over, as gRPC has it: other parts of a client may.
  /// - Throws: if the text is not JSON or one of the known fields has a value that it cannot have; nothing of the
  ///   config is to be used then.
  public init(json: String) throws(ServiceConfigError) {
    try self.init(ConfigObject(Self.parse(json), "the service config"))
  }

  /// Reads what a domain publishes in DNS (gRPC's A2): a list of choices, each for some clients, of which the first that
  /// fits counts.
  /// - Parameters:
  ///   - client: whom it is for.
  /// - Returns: nil if none fits.
  /// - Throws: if the text is not such a list, or the chosen config is wrong.
  public static func choice(
    from json: String, for client: ServiceConfigClient
  ) throws(ServiceConfigError) -> ServiceConfig? {
    guard case .array(let choices) = try parse(json) else {
      throw ServiceConfigError(description: "the choices of service configs are no array")
    }
    for choice in choices {
      let choice = try ConfigObject(choice, "choice")
      let languages = try choice.strings("clientLanguage")?.map { $0.lowercased() }
      let hosts = try choice.strings("clientHostName")
      let percentage = try choice.integer("percentage", in: 0...100) ?? 100
      guard let config = try choice.object("serviceConfig") else { throw choice.wrong("serviceConfig is missing") }
      if languages?.contains(ServiceConfigClient.language) ?? true, hosts?.contains(client.hostName) ?? true,
        client.percentile < percentage
      {
        return try ServiceConfig(config)
      }
    }
    return nil
  }

  private static func parse(_ json: String) throws(ServiceConfigError) -> JSONValue {
    do throws(JSONError) {
      return try JSONValue(parsing: json)
    } catch {
      throw ServiceConfigError(description: "the service config is no JSON: \(error)")
    }
  }

  private init(_ config: ConfigObject) throws(ServiceConfigError) {
    self.init(loadBalancing: try Self.loadBalancing(config))
    var seen: Set<String> = []
    for value in try config.array("methodConfig") ?? [] {
      let method = try MethodConfig(ConfigObject(value, "methodConfig"))
      for name in method.names where !seen.insert(name.key).inserted {
        throw ServiceConfigError(description: "methodConfig: the name \(name.key) stands twice")
      }
      methods.append(method)
    }
    if let throttling = try config.object("retryThrottling") { retryThrottling = try RetryThrottling(throttling) }
    if let health = try config.object("healthCheckConfig") { healthCheckService = try health.string("serviceName") }
  }

  /// The first policy of the list that we have; the older field `loadBalancingPolicy` counts without a list.
  private static func loadBalancing(_ config: ConfigObject) throws(ServiceConfigError) -> LoadBalancing {
    guard let choices = try config.array("loadBalancingConfig") else {
      guard let name = try config.string("loadBalancingPolicy") else { return .pickFirst }
      switch name.lowercased() {
      case "pick_first": return .pickFirst
      case "round_robin": return .roundRobin
      default: throw ServiceConfigError(description: "loadBalancingPolicy: \(name) is not known")
      }
    }
    for choice in choices {
      let choice = try ConfigObject(choice, "loadBalancingConfig")
      guard choice.members.count == 1 else { throw choice.wrong("each entry has exactly one policy") }
      if choice.members["round_robin"] != nil { return .roundRobin }
      if let pickFirst = try choice.object("pick_first") {
        return try pickFirst.bool("shuffleAddressList") == true ? .shuffledPickFirst : .pickFirst
      }
    }
    throw ServiceConfigError(description: "loadBalancingConfig: none of the policies is known")
  }
}

extension ServiceConfig.MethodConfig {
  fileprivate init(_ config: ConfigObject) throws(ServiceConfigError) {
    var names: [ServiceConfig.MethodName] = []
    for value in try config.array("name") ?? [] {
      let name = try ConfigObject(value, "name")
      let service = try name.string("service") ?? ""
      let method = try name.string("method").flatMap { $0.isEmpty ? nil : $0 }
      guard !service.isEmpty || method == nil else { throw name.wrong("a method without its service") }
      names.append(ServiceConfig.MethodName(service: service, method: method))
    }
    let retry = try config.object("retryPolicy")
    let hedging = try config.object("hedgingPolicy")
    guard retry == nil || hedging == nil else { throw config.wrong("both retryPolicy and hedgingPolicy") }
    var attempts: AttemptPolicy?
    if let retry { attempts = .retry(try RetryPolicy(retry)) }
    if let hedging { attempts = .hedging(try HedgingPolicy(hedging)) }
    let timeout = try config.duration("timeout")
    if let timeout, timeout < .zero { throw config.wrong("timeout is negative") }
    self.init(
      names: names, timeout: timeout, waitForReady: try config.bool("waitForReady"),
      maxRequestMessageBytes: try config.integer("maxRequestMessageBytes", in: 0...Int(UInt32.max)),
      maxResponseMessageBytes: try config.integer("maxResponseMessageBytes", in: 0...Int(UInt32.max)),
      attempts: attempts)
  }
}

extension RetryPolicy {
  fileprivate init(_ config: ConfigObject) throws(ServiceConfigError) {
    let codes = try config.codes("retryableStatusCodes")
    let timeout: Duration? =
      config.members["perAttemptRecvTimeout"] == nil ? nil : try config.positive("perAttemptRecvTimeout")
    guard !codes.isEmpty || timeout != nil else { throw config.wrong("retryableStatusCodes are missing") }
    self.init(
      maxAttempts: try config.attempts(), initialBackoff: try config.positive("initialBackoff"),
      maxBackoff: try config.positive("maxBackoff"), backoffMultiplier: try config.positive("backoffMultiplier"),
      retryableStatusCodes: codes, perAttemptReceiveTimeout: timeout)
  }
}

extension HedgingPolicy {
  fileprivate init(_ config: ConfigObject) throws(ServiceConfigError) {
    let delay = try config.duration("hedgingDelay") ?? .zero
    guard delay >= .zero else { throw config.wrong("hedgingDelay is negative") }
    self.init(
      maxAttempts: try config.attempts(), hedgingDelay: delay,
      nonFatalStatusCodes: try config.codes("nonFatalStatusCodes"))
  }
}

extension RetryThrottling {
  fileprivate init(_ config: ConfigObject) throws(ServiceConfigError) {
    guard let tokens = try config.integer("maxTokens", in: 1...RPCLimits.retryTokens) else {
      throw config.wrong("maxTokens are missing")
    }
    self.init(maxTokens: tokens, tokenRatio: try config.positive("tokenRatio"))
  }
}

/// What a choice between service configs depends on.
public struct ServiceConfigClient: Sendable, Equatable {
  /// What `clientLanguage` calls us.
  static let language = "swift"

  /// The name of this machine.
  public var hostName: String
  /// From 0 to 99, drawn once for each client: a choice for 5 percent of them is for those below 5.
  public var percentile: Int

  public init(hostName: String, percentile: Int) {
    precondition((0..<100).contains(percentile), "not a percentile")
    self.hostName = hostName
    self.percentile = percentile
  }
}

/// An object of the config, with its name for errors. A member that is null counts as missing.
private struct ConfigObject {
  let members: [String: JSONValue]
  let name: String

  init(_ value: JSONValue, _ name: String) throws(ServiceConfigError) {
    guard case .object(let members) = value else {
      throw ServiceConfigError(description: "\(name): not an object")
    }
    self.members = members.filter { $0.value != .null }
    self.name = name
  }

  func wrong(_ what: String) -> ServiceConfigError { ServiceConfigError(description: "\(name): \(what)") }

  func object(_ key: String) throws(ServiceConfigError) -> ConfigObject? {
    guard let value = members[key] else { return nil }
    return try ConfigObject(value, key)
  }

  func array(_ key: String) throws(ServiceConfigError) -> [JSONValue]? {
    guard let value = members[key] else { return nil }
    guard case .array(let items) = value else { throw wrong("\(key) is not an array") }
    return items
  }

  func string(_ key: String) throws(ServiceConfigError) -> String? {
    guard let value = members[key] else { return nil }
    guard case .string(let text) = value else { throw wrong("\(key) is not a string") }
    return text
  }

  func strings(_ key: String) throws(ServiceConfigError) -> [String]? {
    guard let items = try array(key) else { return nil }
    var strings: [String] = []
    for item in items {
      guard case .string(let text) = item else { throw wrong("\(key) is not a list of strings") }
      strings.append(text)
    }
    return strings
  }

  func bool(_ key: String) throws(ServiceConfigError) -> Bool? {
    guard let value = members[key] else { return nil }
    guard case .bool(let bool) = value else { throw wrong("\(key) is neither true nor false") }
    return bool
  }

  /// A whole number, also as a string (64-bit fields of the proto form are strings in JSON).
  func integer(_ key: String, in range: ClosedRange<Int>) throws(ServiceConfigError) -> Int? {
    guard let value = members[key] else { return nil }
    let number: Int? =
      switch value {
      case .number(let text), .string(let text): Int(text)
      default: nil
      }
    guard let number, range.contains(number) else { throw wrong("\(key) is no whole number in \(range)") }
    return number
  }

  func duration(_ key: String) throws(ServiceConfigError) -> Duration? {
    guard let value = members[key] else { return nil }
    guard let duration = value.duration else { throw wrong("\(key) is no duration such as \"1.5s\"") }
    return duration
  }

  func positive(_ key: String) throws(ServiceConfigError) -> Duration {
    guard let duration = try duration(key), duration > .zero else { throw wrong("\(key) is no positive duration") }
    return duration
  }

  func positive(_ key: String) throws(ServiceConfigError) -> Double {
    guard case .number(let text)? = members[key], let number = Double(text), number > 0, number.isFinite else {
      throw wrong("\(key) is no positive number")
    }
    return number
  }

  func attempts() throws(ServiceConfigError) -> Int {
    guard let count = try integer("maxAttempts", in: 2...Int(UInt32.max)) else { throw wrong("maxAttempts is missing") }
    return count
  }

  /// Statuses by name, in any case, or number.
  func codes(_ key: String) throws(ServiceConfigError) -> Set<StatusCode> {
    var codes: Set<StatusCode> = []
    for value in try array(key) ?? [] {
      let code: StatusCode? =
        switch value {
        case .string(let text): StatusCode.allCases.first { $0.description == text.uppercased() }
        case .number(let text): Int(text).flatMap(StatusCode.init(rawValue:))
        default: nil
        }
      guard let code, code != .ok else { throw wrong("\(key): not the status of an error") }
      codes.insert(code)
    }
    return codes
  }
}
