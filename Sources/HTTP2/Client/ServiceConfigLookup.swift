public import Base
internal import CLinux
public import RPC

/// Where a client finds the service config that goes with a name, besides its addresses.
///
/// ```swift
/// let transport = HTTP2ClientTransport(
///   target: ClientTarget("dns:///shop.example:443")!, serviceConfigLookup: .dns(), group: group)
/// ```
public struct ServiceConfigLookup: Sendable {
  /// Asked together with the addresses, on the same thread; may block.
  let find: @Sendable (_ host: String) throws -> ServiceConfig?

  /// - Parameter find: is given the target's host. Answers nil if there is no config, and throws if that cannot be told or
  ///   the config is wrong.
  public init(_ find: @escaping @Sendable (_ host: String) throws -> ServiceConfig?) {
    self.find = find
  }

  /// DNS, as gRPC's A2 has it: a TXT record `grpc_config=[…]` of the name `_grpc_config.` and the host, with a list of
  /// choices by the client's language (ours is `swift`), host name and a percentage. Who controls the name's DNS decides
  /// how the client treats its calls; so nobody is asked unless this is said.
  /// - Parameters:
  ///   - nameServer: whom to ask, by an IPv4 address; nil for those of the machine.
  ///   - hostName: of this machine, for the choices; nil for what the system says.
  ///   - random: decides whether a choice for a percentage of the clients is for this one.
  public static func dns(
    nameServer: SocketAddress? = nil, hostName: String? = nil, random: any RandomSource = SystemRandomSource()
  ) -> ServiceConfigLookup {
    precondition(nameServer?.isIPv4 ?? true, "a name server is said by an IPv4 address")
    let client = ServiceConfigClient(
      hostName: hostName ?? Self.ownHostName, percentile: Int(random.below(100)))
    return ServiceConfigLookup { host in
      let records = try TextRecords.lookUp("_grpc_config.\(host)", nameServer: nameServer)
      return try config(in: records, for: client)
    }
  }

  /// The config in the TXT records of a name.
  static func config(in records: [[UInt8]], for client: ServiceConfigClient) throws -> ServiceConfig? {
    let prefix = Array("grpc_config=".utf8)
    guard let record = records.first(where: { $0.starts(with: prefix) }) else { return nil }
    guard let json = String(validating: record.dropFirst(prefix.count), as: UTF8.self) else {
      throw ResolutionFailure(description: "the TXT record is no UTF-8")
    }
    return try ServiceConfig.choice(from: json, for: client)
  }

  private static var ownHostName: String {
    // Linux's names have at most 64 octets.
    var name = [CChar](repeating: 0, count: 65)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
