import Base
import Curl
import Glibc
import HTTP2
import RPC

/// Where a server is and how it is spoken to.
struct ConnectionTarget: Sendable {
  /// One of the forms of `ClientTarget`.
  let address: String
  private let isPlaintext: Bool
  private let isInsecure: Bool
  private let caFile: String?
  private let authority: String?
  /// JSON, or `@` and the file that has it.
  private let serviceConfig: String?

  private static let defaultAddress = "127.0.0.1:8443"
  private static let defaultPort = "8443"
  /// Where `make run` puts the authority of its development certificate.
  private static let developmentCA = "./var/tls/ca.pem"

  /// What the command line says, then the profile if it is of the same address, then the defaults.
  init(_ global: GlobalOptions, profile: Profile?) {
    var address = global.address ?? profile.map(\.address) ?? Self.defaultAddress
    if address.isEmpty { address = Self.defaultAddress }
    if !address.contains(":") || address.hasSuffix("]") { address += ":" + Self.defaultPort }
    self.address = address
    let stored = profile?.address == address ? profile : nil
    isPlaintext = global.isPlaintext || stored?.isPlaintext == true
    isInsecure = global.isInsecure
    let storedCA = stored?.caFile.isEmpty == false ? stored?.caFile : nil
    let development = access(Self.developmentCA, R_OK) == 0 ? Self.developmentCA : nil
    caFile = global.caFile ?? storedCA ?? development
    authority = global.authority
    serviceConfig = global.serviceConfig
  }

  /// A channel over connections of its own, which are made by the first call, and the executor of its calls.
  func connect() async throws -> (channel: RPCChannel, executor: any CallExecutor) {
    guard let target = ClientTarget(address) else {
      throw UsageError("\(address) is no address such as 127.0.0.1:8443 or dns:///example.org:443")
    }
    let group = try EventLoopGroup(loops: 1)
    var tls: TLSClientConfiguration?
    if !isPlaintext {
      do {
        tls =
          isInsecure
          ? try TLSClientConfiguration(unverifiedServerName: authority)
          : try TLSClientConfiguration(authorityFile: caFile, serverName: authority)
      } catch {
        throw LocalError("TLS cannot be set up\(caFile.map { " with \($0)" } ?? ""): \(error)")
      }
    }
    let transport = HTTP2ClientTransport(target: target, tls: tls, serviceConfig: try await readConfig(), group: group)
    let channel = RPCChannel(
      transport: transport, authority: authority ?? transport.authority, scheme: isPlaintext ? "http" : "https",
      userAgent: "octet-cli")
    return (channel, transport.executor())
  }

  /// The same server by HTTP/1.1, for what is fetched by URL.
  /// - Returns: what URLs begin with, and how they are asked for.
  func http() throws(UsageError) -> (base: String, client: CurlClient) {
    guard let target = ClientTarget(address) else { throw UsageError("\(address) is no address") }
    var options = CurlOptions(
      name: "http", requests: 4, connections: 1, connectTimeout: .seconds(10), attemptTimeout: .seconds(600),
      stallTimeout: .seconds(30), certificates: isPlaintext || isInsecure ? nil : caFile)
    options.checksCertificates = !isInsecure
    let scheme = isPlaintext ? "http" : "https"
    if address.hasPrefix("unix:") {
      let path = address.dropFirst(5)
      options.place = .socket(String(path.hasPrefix("///") ? path.dropFirst(2) : path))
    } else if address.hasPrefix("unix-abstract:") {
      options.place = .abstractSocket(String(address.dropFirst(14)))
    } else {
      options.place = .address(target.authority)
    }
    return ("\(scheme)://\(authority ?? target.authority)", CurlClient(options: options))
  }

  private func readConfig() async throws -> ServiceConfig? {
    guard var text = serviceConfig else { return nil }
    if text.hasPrefix("@") {
      text = String(decoding: try await InputFile(path: String(text.dropFirst())).readAll(), as: UTF8.self)
    }
    do {
      return try ServiceConfig(json: text)
    } catch {
      throw UsageError("--service-config: \(error)")
    }
  }
}
