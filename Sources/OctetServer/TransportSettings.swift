import HTTP2

/// What an operator can choose about connections.
struct TransportSettings: Sendable {
  var certificates: [TLSCertificateFiles]
  var clientAuthority: String?
  var clientAuthentication: TLSServerConfiguration.ClientAuthentication
  var limits: HTTP2Limits
  var reusesPort: Bool
  var unixMode: UInt32?

  private static let year = 31_536_000
  /// Octets a second, beyond what networks carry.
  private static let mostRate = 1 << 30
  /// A megabyte for a small machine, and a terabyte, beyond any.
  private static let heldBytes = (1 << 20)...(1 << 40)

  init(_ values: SettingValues) throws(UsageError) {
    let (files, keys) = (values.list(.tlsCertificate), values.list(.tlsKey))
    guard files.count == keys.count else {
      throw UsageError("tls-key: there are \(keys.count) for \(files.count) of tls-certificate")
    }
    certificates = zip(files, keys).map { TLSCertificateFiles(certificate: $0, key: $1) }
    clientAuthority = values[.tlsClientCA]
    switch values[.tlsClientAuth] {
    // Who names an authority wants its clients and nobody else.
    case nil: clientAuthentication = clientAuthority == nil ? .none : .required
    case "none": clientAuthentication = .none
    case "optional": clientAuthentication = .optional
    case "required": clientAuthentication = .required
    case .some(let value): throw UsageError("tls-client-auth: \(value) is not none, optional or required")
    }
    if clientAuthentication != .none, clientAuthority == nil {
      throw UsageError("--tls-client-auth needs --tls-client-ca")
    }
    limits = try Self.limits(values)
    reusesPort = try values.isOn(.reusePort)
    if let text = values[.unixMode] {
      guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
        throw UsageError("unix-mode: \(text) is not an octal mode such as 660")
      }
      unixMode = mode
    }
  }

  private static func limits(_ values: SettingValues) throws(UsageError) -> HTTP2Limits {
    var limits = HTTP2Limits()
    func seconds(_ setting: Setting) throws(UsageError) -> Duration? {
      try values.integer(setting, in: 0...year).map { .seconds($0) }
    }
    /// 0 switches a rule off.
    func rule(_ setting: Setting) throws(UsageError) -> Duration? {
      try seconds(setting).flatMap { $0 == .zero ? nil : $0 }
    }
    limits.keepAliveTime = try rule(.keepAliveTime)
    limits.keepAliveTimeout = try seconds(.keepAliveTimeout) ?? limits.keepAliveTimeout
    limits.minPingInterval = try seconds(.minPingInterval) ?? limits.minPingInterval
    limits.permitsPingsWithoutStreams = try values.isOn(.pingWithoutCalls)
    limits.maxConnectionIdle = try rule(.maxConnectionIdle)
    limits.maxConnectionAge = try rule(.maxConnectionAge)
    limits.maxConnectionAgeGrace = try rule(.maxConnectionAgeGrace)
    limits.messagePeriod = try rule(.messagePeriod)
    limits.minReceiveRate = try values.integer(.minReceiveRate, in: 0...mostRate) ?? limits.minReceiveRate
    if let time = try values.integer(.messageTimeout, in: 1...year) { limits.messageTimeout = .seconds(time) }
    limits.heldBytes = try values.integer(.maxHeldBytes, in: heldBytes) ?? limits.heldBytes
    if let count = try values.integer(.maxConnectionsPerAddress, in: 1...limits.maxConnections) {
      limits.maxConnectionsPerAddress = count
    }
    return limits
  }

  /// The address with what was chosen for it.
  func applied(to address: ListenAddress) -> ListenAddress {
    var address = address
    address.acceptsOnEveryLoop = reusesPort
    address.fileMode = unixMode
    return address
  }

  /// The certificates and whom they trust; nil without a certificate.
  func tls() throws(TLSError) -> TLSServerConfiguration? {
    guard !certificates.isEmpty else { return nil }
    return try TLSServerConfiguration(
      certificates: certificates, clientAuthorityFile: clientAuthority, clientAuthentication: clientAuthentication)
  }
}

extension Setting {
  static let tlsClientCA = Setting(
    name: "tls-client-ca", placeholder: "FILE", fallback: nil,
    help: "Authorities whose client certificates are trusted, PEM. Read again on SIGHUP.")
  static let tlsClientAuth = Setting(
    name: "tls-client-auth", placeholder: "WHETHER", fallback: nil,
    help: "Ask TLS clients for a certificate: none, optional or required. By default required with --tls-client-ca.")
  static let keepAliveTime = Setting(
    name: "keepalive-time", placeholder: "SECONDS", fallback: "7200",
    help: "Ask a client that has been silent so long for a sign of life; 0 never.")
  static let keepAliveTimeout = Setting(
    name: "keepalive-timeout", placeholder: "SECONDS", fallback: "20",
    help: "How long to wait for the sign of life before the connection is closed.")
  static let minPingInterval = Setting(
    name: "keepalive-min-interval", placeholder: "SECONDS", fallback: "300",
    help: "How often a client may ask for a sign of life; one that does it more often is sent away.")
  static let pingWithoutCalls = Setting(
    name: "keepalive-without-calls", placeholder: nil, fallback: nil,
    help: "Let clients ask that often without calls too; otherwise every two hours.")
  static let maxConnectionIdle = Setting(
    name: "max-connection-idle", placeholder: "SECONDS", fallback: "3600",
    help: "Drain a connection that has had no calls so long; 0 never.")
  static let maxConnectionAge = Setting(
    name: "max-connection-age", placeholder: "SECONDS", fallback: "0",
    help: "Drain a connection that is so old, give or take a tenth; 0 never.")
  static let maxConnectionAgeGrace = Setting(
    name: "max-connection-age-grace", placeholder: "SECONDS", fallback: "0",
    help: "End the calls that are left so long after that; 0 waits for them.")
  static let maxConnectionsPerAddress = Setting(
    name: "max-connections-per-address", placeholder: "N", fallback: "4096",
    help: "Connections of one IPv4 address or IPv6 /64; loopback does not count.")
  static let maxHeldBytes = Setting(
    name: "max-held-bytes", placeholder: "BYTES", fallback: "536870912",
    help: "What all clients together may make the server hold: answers that they do not take, bodies not read yet.")
  static let messagePeriod = Setting(
    name: "message-period", placeholder: "SECONDS", fallback: "60",
    help: "How often to look whether the messages of requests that have begun go on; 0 never.")
  static let minReceiveRate = Setting(
    name: "min-receive-rate", placeholder: "OCTETS", fallback: "512",
    help: "What such a message must bring a second, on average over the period, or its call ends.")
  static let messageTimeout = Setting(
    name: "message-timeout", placeholder: "SECONDS", fallback: "900",
    help: "How long such a message may take as a whole.")
  static let reusePort = Setting(
    name: "reuse-port", placeholder: nil, fallback: nil,
    help: "Listen on every loop (SO_REUSEPORT); another octetd of the same user can then listen at the same ports.")
  static let unixMode = Setting(
    name: "unix-mode", placeholder: "MODE", fallback: nil,
    help: "The permissions of the files of Unix sockets, octal: 660.")

  /// What can be chosen about connections.
  static let connections = [
    keepAliveTime, keepAliveTimeout, minPingInterval, pingWithoutCalls, maxConnectionIdle, maxConnectionAge,
    maxConnectionAgeGrace, maxConnectionsPerAddress, maxHeldBytes, messagePeriod, minReceiveRate, messageTimeout,
    reusePort, unixMode,
  ]
}
